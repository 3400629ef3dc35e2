import EventLoop
import Glibc
import JSON
import Postgres
import TestKit
import Values

/// One run: starts all processes on their own database, executes the plan of the seed while clients post jobs, waits
/// until all jobs have ended, and checks the invariants.
struct ChaosRun {
    private static let clientCount = 4
    /// The maximum time until every job is acknowledged, and again until every job has ended.
    private static let waitMax = Duration.seconds(60)

    let seed: UInt64
    let server: PostgresServer
    let history: ChaosHistory

    init(seed: UInt64, on server: PostgresServer, history: ChaosHistory) {
        self.seed = seed
        self.server = server
        self.history = history
    }

    /// All violations.
    func run() async throws -> [String] {
        let database = try await TestDatabase.empty(on: server)
        let scratch = try ScratchDirectory()
        do {
            return try await withServices { services in
                try await run(Deployment(database: database, services: services), scratch)
            }
        } catch {
            // The next run needs PostgreSQL, wherever this one has failed.
            try? server.start()
            throw error
        }
    }

    private func run(_ deployment: Deployment, _ scratch: ScratchDirectory) async throws -> [String] {
        try await deployment.database.migrate()
        let witness = ChaosWitness(deployment: deployment, effectsFile: scratch.file("effects"))
        try await witness.watch()
        var fleet = ChaosProcesses(
            deployment, apiPort: FreePort.take(), handlersFile: try writeHandlers(scratch, witness), history: history)
        for role in ChaosRole.all { try await fleet.start(role) }
        let client = HTTPTestClient(port: fleet.apiPort, key: RunningApi.key)
        try await waitUntil("the api is ready", within: .seconds(30)) {
            (try? await client.get("/ready").status) == 200
        }

        let jobs = ChaosJob.all(seed: seed)
        let promises = ChaosPromises()
        async let posting: Void = post(jobs, client, promises)
        try await carryOut(ChaosPlan(seed: seed), &fleet)
        do {
            try await posting
            history.add("all jobs are acknowledged after \(promises.postCount) requests")
            try await waitForRest(deployment)
        } catch {
            fleet.tellLastLines()
            throw error
        }
        history.add("all jobs have ended")
        try await witness.collect(promises, jobs)
        return try await verdict(deployment, client, promises, &fleet)
    }

    private func writeHandlers(_ scratch: ScratchDirectory, _ witness: ChaosWitness) throws -> String {
        let handlers: JSONValue = [
            "handlers": [
                "witness": [
                    "exec": ["sh", "-c", .string(ChaosJob.program)],
                    "environment": ["EFFECTS": .string(witness.effectsFile)],
                ]
            ]
        ]
        return try scratch.write("handlers.json", handlers.text)
    }

    // MARK: Posting

    private func post(_ jobs: [ChaosJob], _ client: HTTPTestClient, _ promises: ChaosPromises) async throws {
        let deadline = MonotonicInstant.now() + Self.waitMax
        let share = (jobs.count + Self.clientCount - 1) / Self.clientCount
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<Self.clientCount {
                let part = Array(jobs.dropFirst(number * share).prefix(share))
                group.addTask {
                    var poster = ChaosClient(client, promises)
                    try await poster.post(part, pause: ChaosPlan.window / share, before: deadline)
                }
            }
            try await group.waitForAll()
        }
    }

    // MARK: Faults

    private func carryOut(_ plan: ChaosPlan, _ fleet: inout ChaosProcesses) async throws {
        let start = MonotonicInstant.now()
        for event in plan.events {
            let wait = start + event.at - .now()
            if wait > .zero { try await Task.sleep(for: wait) }
            try await carryOut(event.action, &fleet)
        }
    }

    private func carryOut(_ action: ChaosPlan.Action, _ fleet: inout ChaosProcesses) async throws {
        switch action {
        case .kill(let role): try await fleet.kill(role)
        case .start(let role): try await fleet.start(role)
        case .freeze(let role): fleet.signal(role, SIGSTOP, "frozen")
        case .thaw(let role): fleet.signal(role, SIGCONT, "thawed")
        case .endSessions:
            // There is nothing to terminate while PostgreSQL is down.
            let count = try? await fleet.deployment.database.terminateSessions()
            history.add("\(count ?? 0) sessions were ended")
        case .expireLeases:
            // As above.
            let expired = try? await fleet.deployment.sql(
                "UPDATE lease SET expires_at = clock_timestamp() - interval '1 second'")
            history.add("\(expired?.affectedRowCount ?? 0) leases have expired")
        case .stopDatabase:
            history.add("PostgreSQL is stopped at once")
            try server.stop(.immediate)
        case .startDatabase:
            try server.start()
            history.add("PostgreSQL is back")
        }
    }

    // MARK: End of a run

    private func waitForRest(_ deployment: Deployment) async throws {
        var last = "nothing"
        do {
            try await waitUntil("all jobs have ended", within: Self.waitMax) {
                last = try await deployment.texts("SELECT status || ' ' || count(*) FROM jobs GROUP BY status")
                    .sorted().joined(separator: ", ")
                return try await deployment.database.integer(
                    "SELECT count(*) FROM jobs WHERE status NOT IN ('succeeded', 'failed', 'cancelled')") == 0
            }
        } catch {
            history.add("no rest: \(last)")
            throw error
        }
    }

    private func verdict(
        _ deployment: Deployment, _ client: HTTPTestClient, _ promises: ChaosPromises, _ fleet: inout ChaosProcesses
    ) async throws -> [String] {
        var found = try await ChaosInvariants.violations(in: deployment, promises)
        // The metrics may be a second old.
        var onPage: [String] = []
        for _ in 0..<100 {
            let page = MetricValues(try await client.get("/metrics").text)
            onPage = try await ChaosInvariants.violations(onPage: page, in: deployment)
            if onPage.isEmpty { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        found += onPage
        // The tasks of the reapers hold locks for short times.
        var disturbances = try await ChaosInvariants.disturbances(in: deployment)
        for _ in 0..<20 where !disturbances.isEmpty {
            disturbances = try await ChaosInvariants.disturbances(in: deployment)
        }
        found += disturbances
        found += fleet.deserters
        found += await fleet.stop()
        return found
    }
}
