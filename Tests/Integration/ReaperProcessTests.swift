import EventLoop
import Glibc
import Postgres
import TestKit
import Testing
import Values

/// The process `jobqueue-reaper`.
@Suite struct ReaperProcessTests {
    private static let name = "jobqueue-reaper"

    // MARK: Starting

    @Test func `it waits for the schema, and starts when it exists`() async throws {
        let database = try await TestDatabase.empty()
        try await withServices { services in
            let reaper = try await services.start(Self.name, environment: database.environment)
            let line = try await reaper.waitForLine(containing: "waiting for the schema")
            #expect(line.contains("migrate up"))
            try await database.migrate()
            try await reaper.waitForLine(containing: "reaping")
            #expect(reaper.lines.count { $0.contains("no schema yet") } == 1)
        }
    }

    @Test func `it works with a newer schema, and logs that`() async throws {
        try await Fixture.use { fixture in
            try await fixture.sql("UPDATE schema_migration SET version = 999 WHERE version = 1")
            try await fixture.insertExpiredLeases(1)
            try await withServices { services in
                let reaper = try await services.start(Self.name, environment: fixture.database.environment)
                try await reaper.waitForLine(containing: "the schema is newer than this release")
                try await fixture.waitUntilCount(of: "ready", is: 1)
            }
        }
    }

    @Test func `the metrics page shows whether there is a reaper`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            try await deployment.sql("UPDATE reaper_heartbeat SET at = clock_timestamp() - interval '1 hour'")
            try await waitUntil("it is shown") {
                try await api.metrics().sum("jobqueue_reaper_heartbeat_age_seconds") ?? 0 > 3_500
            }
            _ = try await deployment.startReaper()
            try await waitUntil("the heartbeat of a reaper is shown") {
                try await api.metrics().sum("jobqueue_reaper_heartbeat_age_seconds") ?? 3_600 < 60
            }
        }
    }

    @Test func `the command line has help, version and settings`() async throws {
        try await withServices { services in
            let help = try await services.start(Self.name, ["--help"])
            #expect(try await help.waitForExit() == .code(0))
            try await help.waitForLine(containing: "REAPER_INTERVAL_SECONDS")
            let version = try await services.start(Self.name, ["--version"])
            #expect(try await version.waitForExit() == .code(0))
            try await version.waitForLine(containing: "jobqueue-reaper ")
            let wrong = try await services.start(
                Self.name, ["--check-config"], environment: ["REAPER_INTERVAL_SECONDS": "soon"])
            #expect(try await wrong.waitForExit() == .code(78))
            try await wrong.waitForLine(containing: "REAPER_INTERVAL_SECONDS")
            try await wrong.waitForLine(containing: "DATABASE_URL")
        }
    }

    @Test func `the documentation has every variable of the reaper with default and range`() async throws {
        try await withServices { services in
            let listing = try await services.start(Self.name, ["--list-settings"])
            #expect(try await listing.waitForExit() == .code(0))
            let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
            let page = try await services.start("cat", [root.joined(separator: "/") + "/docs/configuration.md"])
            #expect(try await page.waitForExit() == .code(0))
            // The last line of each output.
            try await listing.waitForLine(containing: "LOG_FORMAT")
            try await page.waitForLine(containing: "core files")
            let rows = page.lines.map { line in
                line.split(separator: "|").map { $0.filter { $0 != "`" && $0 != " " } }
            }.filter { $0.count >= 4 && ["all", "reaper"].contains($0[1]) }

            let settings = listing.lines.map {
                $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            }
            #expect(settings.count > 10)
            for setting in settings {
                let row = rows.first { $0[0] == setting[0] }
                #expect(row?[2] == setting[2], "\(setting[0])")
                if let match = setting[3].firstMatch(of: /from (\S+) to ([^\s,]+)/) {
                    #expect(row?[3] == "\(match.output.1)to\(match.output.2)", "\(setting[0])")
                }
            }
            #expect(Set(rows.map { $0[0] }) == Set(settings.map { $0[0] }))
        }
    }

    // MARK: Stopping

    @Test(arguments: [SIGTERM, SIGINT])
    func `it stops on SIGTERM at once, with exit status 0`(signal: Int32) async throws {
        try await Fixture.use { fixture in
            try await withServices { services in
                let reaper = try await services.start(Self.name, environment: fixture.database.environment)
                try await reaper.waitForLine(containing: "reaping")
                let start = MonotonicInstant.now()
                reaper.signal(signal)
                #expect(try await reaper.waitForExit() == .code(0))
                #expect(MonotonicInstant.now() - start < .seconds(3))
            }
        }
    }

    @Test func `a second signal stops it while a statement hangs`() async throws {
        try await Fixture.use { fixture in
            try await withServices { services in
                let reaper = try await services.start(Self.name, environment: fixture.database.environment)
                try await reaper.waitForLine(containing: "reaping")
                try await fixture.holding("LOCK TABLE transition_delta IN ACCESS EXCLUSIVE MODE") {
                    try await fixture.waitUntilBlocked()
                    reaper.signal(SIGTERM)
                    try await reaper.waitForLine(containing: "stopping")
                    let start = MonotonicInstant.now()
                    reaper.signal(SIGTERM)
                    #expect(try await reaper.waitForExit() == .code(0))
                    #expect(MonotonicInstant.now() - start < .seconds(3))
                }
            }
        }
    }

    @Test func `a statement under way is finished before it stops`() async throws {
        try await Fixture.use { fixture in
            try await fixture.insertExpiredLeases(10)
            try await withServices { services in
                var started: ServiceProcess?
                try await fixture.holding("LOCK TABLE attempt_error IN ACCESS EXCLUSIVE MODE") {
                    let reaper = try await services.start(Self.name, environment: fixture.database.environment)
                    started = reaper
                    try await fixture.waitUntilBlocked(inStatementWith: "DELETE FROM lease")
                    reaper.signal(SIGTERM)
                    try await reaper.waitForLine(containing: "stopping")
                }
                let reaper = try #require(started)
                #expect(try await reaper.waitForExit() == .code(0))
                #expect(try await fixture.count("lease") == 0)
            }
        }
    }

    // MARK: Working

    @Test func `it reclaims expired leases, requeues their jobs and logs that`() async throws {
        try await Fixture.use { fixture in
            try await fixture.insertExpiredLeases(3)
            try await withServices { services in
                let reaper = try await services.start(Self.name, environment: fixture.database.environment)
                try await fixture.waitUntilCount(of: "ready", is: 3)
                try await reaper.waitForLine(containing: "leases were reclaimed")
                let lines = reaper.lines.filter { $0.contains("a lease was reclaimed") }
                #expect(lines.count == 3)
                #expect(lines.allSatisfy { $0.contains(#""job_id":""#) && $0.contains(#""attempt":1"#) })
                try await fixture.waitUntilCount(of: "transition_delta", is: 0)
                #expect(try await fixture.countMismatches() == 0)
            }
        }
    }

    /// With the default interval of a minute.
    @Test func `a lease is reclaimed within about a second of its expiry`() async throws {
        try await Fixture.use { fixture in
            try await fixture.insertExpiredLeases(1)
            try await fixture.expireLeases(inSeconds: 2)
            try await withServices { services in
                _ = try await services.start(Self.name, environment: fixture.database.environment)
                try await fixture.waitUntilCount(of: "ready", is: 1, within: .seconds(10))
            }
        }
    }

    @Test func `a delayed job is ready when it is due, and not before`() async throws {
        try await Fixture.use { fixture in
            try await withServices { services in
                let reaper = try await services.start(Self.name, environment: fixture.database.environment)
                try await reaper.waitForLine(containing: "reaping")
                try await fixture.insertDelayed(20, milliseconds: 700)
                #expect(try await fixture.count("ready") == 0)
                try await fixture.waitUntilCount(of: "ready", is: 20)
                let now = try await fixture.number(
                    "SELECT (1000 * EXTRACT(epoch FROM clock_timestamp() - max(ready_at)))::bigint FROM ready")
                // Much of this time is the polling of this test and the load of the machine.
                #expect(now >= 0 && now < 1_000)
            }
        }
    }

    @Test func `an outage of PostgreSQL is two log lines, and the work continues`() async throws {
        let server = try PostgresServer()
        let database = try await TestDatabase.empty(on: server)
        try await database.migrate()
        try await withServices { services in
            let reaper = try await services.start(Self.name, environment: database.environment)
            try await reaper.waitForLine(containing: "reaping")
            try server.stop(.immediate)
            try await reaper.waitForLine(containing: "PostgreSQL cannot be reached")
            try server.start()
            try await reaper.waitForLine(containing: "PostgreSQL answers again", within: .seconds(20))
            try await Fixture.use(database) { fixture in
                try await fixture.insertDelayed(1, milliseconds: 0)
                try await fixture.waitUntilCount(of: "ready", is: 1)
            }
            #expect(reaper.lines.count { $0.contains("PostgreSQL cannot be reached") } == 1)
            reaper.signal(SIGTERM)
            #expect(try await reaper.waitForExit() == .code(0))
        }
        try server.stop(.fast)
    }

    /// I1 and I8 of `docs/invariants.md`: each batch is one transaction, whichever process dies.
    @Test(arguments: TestSeeds.take(1))
    func `reapers that are killed at any instant lose nothing and repeat nothing`(seed: UInt64) async throws {
        try await Fixture.use { fixture in
            var random = SeededGenerator(seed: seed)
            let count: Int64 = 6_000
            try await fixture.insertExpiredLeases(Int(count))
            try await withServices { services in
                var rounds = 0
                while case let leases = try await fixture.count("lease"), leases > 0 {
                    let pause = Int64(random.next() % 20)
                    try await killTwo(services, fixture, leases, after: pause)
                    rounds += 1
                    #expect(try await fixture.count("jobs") == count, "seed \(seed)")
                    #expect(try await fixture.countMismatches() == 0, "seed \(seed)")
                }
                #expect(rounds > 1, "the reapers were through before one was killed; seed \(seed)")
                _ = try await services.start(Self.name, environment: fixture.database.environment)
                try await fixture.waitUntilCount(of: "ready", is: count)
            }
            #expect(try await fixture.count("attempt_error") == count, "seed \(seed)")
            let reclaimed = try await fixture.number("SELECT n FROM transition_count WHERE transition = 'reclaimed'")
            #expect(reclaimed == count, "seed \(seed)")
        }
    }

    /// Starts two reapers, and kills them after a delay in milliseconds from the first batch of one of them.
    private func killTwo(
        _ services: Services, _ fixture: Fixture, _ leases: Int64, after milliseconds: Int64
    ) async throws {
        let reapers = [
            try await services.start(Self.name, environment: fixture.database.environment),
            try await services.start(Self.name, environment: fixture.database.environment),
        ]
        while try await fixture.count("lease") == leases {
            try #require(reapers.allSatisfy { $0.exited == nil })
        }
        try await TestLoop.shared.sleep(for: .milliseconds(milliseconds))
        for reaper in reapers { reaper.signal(SIGKILL) }
        for reaper in reapers { try await reaper.waitForExit() }
    }

    // MARK: Once

    @Test func `once runs every due task, and exits`() async throws {
        try await Fixture.use { fixture in
            try await fixture.insertExpiredLeases(2_000)
            try await fixture.insertDelayed(3_000, milliseconds: 0)
            try await withServices { services in
                let reaper = try await services.start(Self.name, ["once"], environment: fixture.database.environment)
                #expect(try await reaper.waitForExit(within: .seconds(20)) == .code(0))
                #expect(try await fixture.count("lease") == 0)
                #expect(try await fixture.count("ready") == 5_000)
                #expect(try await fixture.countMismatches() == 0)
            }
        }
    }

    @Test func `once fails when PostgreSQL is unavailable`() async throws {
        try await withServices { services in
            let reaper = try await services.start(
                Self.name, ["once"], environment: ["DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"])
            #expect(try await reaper.waitForExit(within: .seconds(20)) == .code(1))
            #expect(reaper.lines.contains { $0.contains("cannot connect") })
        }
    }
}
