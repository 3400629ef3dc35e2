import EventLoop
import Postgres
import TestKit
import Testing

@Suite struct TransactionTests {
    private struct Refusal: Error {}

    private func count(_ connection: DatabaseConnection) async throws -> Int64 {
        try await connection.execute(sql: "SELECT count(*) FROM t").decodeOnly(as: Int64.self)
    }

    private func withTable(_ body: @Sendable (DatabaseConnection) async throws -> Void) async throws {
        try await withConnection { connection in
            _ = try await connection.execute(sql: "CREATE TEMP TABLE t (n int8 PRIMARY KEY)")
            try await body(connection)
        }
    }

    @Test func `the changes of the body are committed when it returns`() async throws {
        try await withTable { connection in
            let value = try await connection.transaction(.serializable) { transaction in
                async let first = outcome { try await transaction.execute(sql: "INSERT INTO t VALUES (1)") }
                async let second = outcome { try await transaction.execute(sql: "INSERT INTO t VALUES (2)") }
                for result in await [first, second] { #expect(result.error == nil) }
                let level = try await transaction.execute(sql: "SHOW transaction_isolation")
                return try level.decodeOnly(as: String.self)
            }
            #expect(value == "serializable")
            #expect(try await count(connection) == 2)
        }
    }

    @Test func `the changes of the body are rolled back when it throws`() async throws {
        try await withTable { connection in
            await #expect(throws: Refusal.self) {
                try await connection.transaction { transaction in
                    _ = try await transaction.execute(sql: "INSERT INTO t VALUES (1)")
                    throw Refusal()
                }
            }
            let left = try await count(connection)
            #expect(left == 0)
        }
    }

    @Test func `an error that the body catches still causes a rollback`() async throws {
        try await withTable { connection in
            let error = await failure {
                try await connection.transaction { transaction in
                    _ = try await transaction.execute(sql: "INSERT INTO t VALUES (1)")
                    _ = try? await transaction.execute(sql: "SELECT 1 / 0")
                }
            }
            #expect(error?.sqlState == "22012")
            let left = try await count(connection)
            #expect(left == 0)
        }
    }

    @Test func `a group in a transaction returns its rows without those of BEGIN`() async throws {
        try await withTable { connection in
            let one = Statement("one", "SELECT 1::int8")
            let two = Statement("two", "SELECT 2::int8")
            let rows = try await connection.transaction { transaction in
                try await transaction.executeGroup([one(), two()])
            }
            #expect(try rows.map { try $0.decodeOnly(as: Int64.self) } == [1, 2])
        }
    }

    @Test func `an empty transaction sends nothing`() async throws {
        try await withTable { connection in
            try await connection.transaction { _ in }
            #expect(connection.inFlightCount == 0)
            let left = try await count(connection)
            #expect(left == 0)
        }
    }

    @Test func `using a transaction after its end is an error`() async throws {
        try await withTable { connection in
            let leaked = try await connection.transaction { transaction in transaction }
            let error = await failure { _ = try await leaked.execute(sql: "SELECT 1") }
            guard case .misuse = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    /// If the response to COMMIT is lost, only a query can show whether the transaction is committed.
    @Test func `the outcome is unknown after a lost response to COMMIT, and known before COMMIT`() async throws {
        let database = try await TestDatabase.empty()
        try await TestLoop.run {
            let setUp = try await DatabaseConnection.connect(database.settings, on: TestLoop.shared)
            defer { setUp.close() }
            _ = try await setUp.execute(sql: "CREATE SCHEMA jobqueue")
            _ = try await setUp.execute(sql: "CREATE TABLE t (n int8)")
            let proxy = try FaultyProxy(to: .loopback(port: database.server.port))
            defer { proxy.close() }
            let url = database.server.tcpURL(database: database.name, port: proxy.port)
            let settings = try DatabaseSettings(url: url)

            let before = try await DatabaseConnection.connect(settings, on: TestLoop.shared)
            let known = await failure {
                try await before.transaction { transaction in
                    _ = try await transaction.execute(sql: "INSERT INTO t VALUES (1)")
                    proxy.fault = .cutAnswers(afterBytes: 0)
                    _ = try await transaction.execute(sql: "INSERT INTO t VALUES (2)")
                }
            }
            guard case .connectionLost(_, outcomeUnknown: false) = known else {
                Issue.record("\(String(describing: known))")
                return
            }
            #expect(try await count(setUp) == 0)

            proxy.fault = .none
            let during = try await DatabaseConnection.connect(settings, on: TestLoop.shared)
            let unknown = await failure {
                try await during.transaction { transaction in
                    _ = try await transaction.execute(sql: "INSERT INTO t VALUES (1)")
                    proxy.fault = .cutAnswers(afterBytes: 0)
                }
            }
            guard case .connectionLost(_, outcomeUnknown: true) = unknown else {
                Issue.record("\(String(describing: unknown))")
                return
            }
            #expect(try await count(setUp) == 1)
        }
    }
}
