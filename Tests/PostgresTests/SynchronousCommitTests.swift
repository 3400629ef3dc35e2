import EventLoop
import Postgres
import TestKit
import Testing

/// Commits that wait for a synchronous standby, of which there is none.
@Suite struct SynchronousCommitTests {
    private func withWaitingCommits(
        _ body: @Sendable (_ connection: DatabaseConnection, _ other: DatabaseConnection) async throws -> Void
    ) async throws {
        let server = try PostgresServer()
        let database = try await TestDatabase.empty(on: server)
        try await database.sql("CREATE TABLE public.t (n int)")
        try await database.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        try await database.sql("SELECT pg_reload_conf()")
        try await TestLoop.run {
            var hurried = database.settings
            hurried.limitStatements(to: .seconds(2))
            let connection = try await DatabaseConnection.connect(hurried, on: TestLoop.shared)
            let other = try await DatabaseConnection.connect(database.settings, on: TestLoop.shared)
            defer {
                connection.close()
                other.close()
            }
            try await waitUntil("the setting holds") {
                try await other.execute(sql: "SHOW synchronous_standby_names").decodeOnly() == "nobody"
            }
            try await body(connection, other)
        }
        try server.stop(.immediate)
    }

    private func isWaiting(_ process: Int32, _ other: DatabaseConnection) async throws -> Bool {
        var parameters = Parameters()
        parameters.append(process)
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'SyncRep'"
        return try await other.execute(sql: sql, parameters).decodeOnly(as: Int64.self) == 1
    }

    @Test func `a commit whose wait for a standby is cancelled is not a success`() async throws {
        try await withWaitingCommits { connection, other in
            async let inserting = outcome { try await connection.execute(sql: "INSERT INTO public.t VALUES (1)") }
            try await waitUntil("it waits") { try await isWaiting(connection.serverProcessID, other) }
            var parameters = Parameters()
            parameters.append(connection.serverProcessID)
            _ = try await other.execute(sql: "SELECT pg_cancel_backend($1)", parameters)
            let error = await inserting.error
            #expect(error?.isOutcomeUnknown == true)
            #expect(connection.isOpen)
            // A read commits nothing.
            #expect(try await connection.number("SELECT count(*) FROM public.t") == 1)
        }
    }

    @Test func `a commit is not cancelled at its deadline`() async throws {
        try await withWaitingCommits { connection, other in
            let process = connection.serverProcessID
            let error = await outcome { try await connection.execute(sql: "INSERT INTO public.t VALUES (1)") }.error
            #expect(error?.isOutcomeUnknown == true)
            try await waitUntil("the connection counts as lost") { !connection.isOpen }
            #expect(try await isWaiting(process, other))
        }
    }
}
