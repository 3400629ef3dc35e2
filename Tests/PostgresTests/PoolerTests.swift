import EventLoop
import Postgres
import TestKit
import Testing
import Values

@Suite struct PoolerTests {
    /// Connects, also while the pooler is starting.
    private static func connect(
        _ pooler: PgBouncer, _ database: TestDatabase, profile: SessionProfile = .hot
    ) async throws -> DatabaseConnection {
        let settings = try DatabaseSettings(url: pooler.url(database: database.name))
        let end = MonotonicInstant.now() + .seconds(20)
        while true {
            do {
                return try await DatabaseConnection.connect(settings, profile: profile, on: TestLoop.shared)
            } catch {
                guard "\(error)".contains("refused"), .now() < end else { throw error }
                try await TestLoop.shared.sleep(for: .milliseconds(50))
            }
        }
    }

    @Test(arguments: [PgBouncer.Mode.transaction, .statement])
    func `a pooler that gives each transaction another session is refused, and nothing is set in its sessions`(
        _ mode: PgBouncer.Mode
    ) async throws {
        let database = try await TestDatabase.empty()
        try await TestLoop.run {
            let pooler = try PgBouncer(to: database.server, mode)
            for profile in [SessionProfile.hot, .notifying, .general] {
                let failure = await failure { _ = try await Self.connect(pooler, database, profile: profile) }
                guard case .connectionFailed(let reason) = failure else {
                    Issue.record("not refused: \(String(describing: failure))")
                    continue
                }
                #expect(reason.contains("pool_mode = session"))
            }
            // In transaction mode each of its sessions is free now; one by one they are what others would get.
            for name in ["synchronous_commit", "plan_cache_mode", "statement_timeout", "search_path"] {
                let directURL = database.server.tcpURL(database: database.name)
                let direct = try database.server.psql("SHOW \(name)", url: directURL)
                #expect(try database.server.psql("SHOW \(name)", url: pooler.url(database: database.name)) == direct)
            }
        }
    }

    @Test func `a pooler in session mode is used, and its sessions keep their parameters`() async throws {
        let database = try await TestDatabase.empty()
        try await TestLoop.run {
            let pooler = try PgBouncer(to: database.server, .session)
            let connections = try await [Self.connect(pooler, database), Self.connect(pooler, database)]
            defer { for connection in connections { connection.close() } }
            for connection in connections {
                let mode: String = try await connection.execute(
                    sql: "SELECT current_setting('plan_cache_mode')"
                ).decodeOnly()
                #expect(mode == "force_generic_plan")
            }
        }
    }

    @Test func `a pooler in session mode with only one session left is used`() async throws {
        let database = try await TestDatabase.empty()
        try await TestLoop.run {
            let pooler = try PgBouncer(to: database.server, .session, poolSize: 1)
            let start = MonotonicInstant.now()
            let connection = try await Self.connect(pooler, database)
            defer { connection.close() }
            #expect(MonotonicInstant.now() - start < .seconds(20))
            let mode: String = try await connection.execute(
                sql: "SELECT current_setting('plan_cache_mode')"
            ).decodeOnly()
            #expect(mode == "force_generic_plan")
        }
    }
}
