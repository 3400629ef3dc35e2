import EventLoop
import Postgres
import TestKit
import Testing
import Values

@Suite struct DeadlineTests {
    @Test func `a statement past its deadline fails and is cancelled, and the connection stays usable`() async throws {
        try await withConnection { connection in
            let start = MonotonicInstant.now()
            let error = await failure {
                _ = try await connection.execute(sql: "SELECT pg_sleep(60)", timeout: .milliseconds(100))
            }
            guard case .deadlineExceeded(outcomeUnknown: true) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            let answer = try await connection.number("SELECT 1::int8")
            #expect(answer == 1)
            #expect(MonotonicInstant.now() - start < .seconds(30))
        }
    }

    @Test func `the next statement is not affected by the cancel request`() async throws {
        try await withConnection { connection in
            async let slow = outcome {
                try await connection.execute(sql: "SELECT pg_sleep(0.1)", timeout: .milliseconds(99))
            }
            async let neighbour = outcome { try await connection.execute(sql: "SELECT 5::int8 FROM pg_sleep(0.3)") }
            let results = await (slow, neighbour)
            let answer = try results.1.number()
            #expect(answer == 5)
        }
    }

    /// The statement whose deadline has passed ends by itself, and its cancel request arrives 3 s later.
    @Test func `a late cancel request hits another statement, which is sent again`() async throws {
        try await withProxiedConnection { connection, proxy in
            proxy.connectDelay = .seconds(3)
            async let slow = outcome {
                try await connection.execute(sql: "SELECT pg_sleep(0.5)", timeout: .milliseconds(100))
            }
            _ = try await connection.execute(sql: "CREATE TEMPORARY SEQUENCE run")
            async let other = outcome {
                try await connection.execute(
                    sql: "SELECT n FROM (SELECT nextval('run') AS n OFFSET 0) AS once, LATERAL pg_sleep(4 + n * 0)")
            }
            let results = await (slow, other)
            #expect(results.0.error?.isOutcomeUnknown == true)
            let value = try results.1.number()
            #expect(value == 2, "it was executed twice")
        }
    }

    @Test func `the server's statement timeout is a server error`() async throws {
        let database = try await TestDatabase.empty()
        var settings = database.settings
        settings.statementTimeout = .milliseconds(50)
        try await TestLoop.run { [settings] in
            let connection = try await DatabaseConnection.connect(settings, on: TestLoop.shared)
            defer { connection.close() }
            let error = await failure { _ = try await connection.execute(sql: "SELECT pg_sleep(60)") }
            #expect(error?.sqlState == .queryCanceled)
        }
    }

    @Test func `a silent server is detected, and all statements in flight fail`() async throws {
        try await withProxiedConnection { connection, proxy in
            _ = try await connection.execute(sql: "SELECT 1")
            proxy.fault = .silence
            async let first = outcome { try await connection.execute(sql: "SELECT 1", timeout: .milliseconds(50)) }
            async let second = outcome { try await connection.execute(sql: "SELECT 1", timeout: .seconds(60)) }
            let errors = await [first.error, second.error]
            #expect(errors.map { $0?.isOutcomeUnknown } == [true, true])
            guard case .deadlineExceeded = errors[0], case .connectionLost = errors[1] else {
                Issue.record("\(errors)")
                return
            }
            #expect(!connection.isOpen)
            let after = await failure { _ = try await connection.execute(sql: "SELECT 1") }
            #expect(after?.isOutcomeUnknown == false)
        }
    }

    @Test func `connecting to a server that never responds ends at the timeout`() async throws {
        try await TestLoop.run {
            let silent = try Listener(address: .loopback(port: 0))
            let port = try #require(silent.address.port)
            var settings = try DatabaseSettings(url: "postgresql://postgres:s3cret@localhost:\(port)/x")
            settings.connectTimeout = .milliseconds(200)
            let start = MonotonicInstant.now()
            let error = await failure { [settings] in
                _ = try await DatabaseConnection.connect(settings, on: TestLoop.shared)
            }
            guard case .connectionFailed(let reason) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(!reason.contains("s3cret"))
            #expect(MonotonicInstant.now() - start < .seconds(30))
            silent.close { _ in }
        }
    }

    @Test func `a host name that does not exist is reported`() async throws {
        try await TestLoop.run {
            let settings = try DatabaseSettings(url: "postgresql://postgres@nowhere.invalid/x")
            let error = await failure { _ = try await DatabaseConnection.connect(settings, on: TestLoop.shared) }
            #expect(error?.description.contains("nowhere.invalid") == true)
        }
    }
}
