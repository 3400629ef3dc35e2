import EventLoop
import Postgres
import Synchronization
import Telemetry
import TestKit
import Testing
import Values

@Suite struct ConnectionPoolTests {
    private static let one = Statement("one", "SELECT 1::int8", isIdempotent: true)
    private static let processID = Statement("process_id", "SELECT pg_backend_pid()")

    /// Calls `body` with a pool and closes it afterwards.
    private func withPool(
        _ settings: DatabaseSettings, _ options: ConnectionPool.Options, metrics: ConnectionPoolMetrics? = nil,
        credentials: @escaping ConnectionPool.CredentialsProvider = { nil },
        _ body: @Sendable (ConnectionPool) async throws -> Void
    ) async throws {
        try await TestLoop.run {
            let pool = ConnectionPool(
                settings, options: options, on: TestLoop.shared, metrics: metrics, credentials: credentials)
            defer { pool.close() }
            try await body(pool)
        }
    }

    @Test func `sessions terminated under load cause errors, but leak no connections and no callers`() async throws {
        let database = try await TestDatabase.empty()
        var options = ConnectionPool.Options(size: 3)
        options.reconnectPauseMax = .milliseconds(100)
        let registry = MetricRegistry()
        let metrics = ConnectionPoolMetrics(registry: registry)
        try await withPool(database.settings, options, metrics: metrics) { pool in
            let stop = StopSign()
            let delta = try await withThrowingTaskGroup(of: (good: Int, bad: Int).self) { group in
                for _ in 0..<64 {
                    group.addTask {
                        var delta = (good: 0, bad: 0)
                        while !stop.isUp {
                            let result = await outcome { try await pool.execute(Self.one()) }
                            // A pool repeats a statement once, and the second session may be terminated too.
                            if case .connectionLost? = result.error {
                                delta.bad += 1
                            } else if try result.number() == 1 {
                                delta.good += 1
                            }
                        }
                        return delta
                    }
                    group.addTask {
                        var delta = (good: 0, bad: 0)
                        while !stop.isUp {
                            let result = await outcome {
                                try await pool.transaction { transaction in
                                    _ = try await transaction.execute(Self.one())
                                    return try await transaction.execute(Self.one())
                                }
                            }
                            if result.error == nil { delta.good += 1 } else { delta.bad += 1 }
                        }
                        return delta
                    }
                }
                var terminated = 0
                while terminated < 12 { terminated += try await database.terminateSessions() }
                stop.raise()
                return try await group.reduce(into: (good: 0, bad: 0)) { sum, part in
                    sum = (sum.good + part.good, sum.bad + part.bad)
                }
            }
            #expect(delta.good > 0)
            let usage = pool.usage
            #expect(usage.busy == 0 && usage.waiting == 0)
            let sessions = try await pool.execute(
                sql: "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()", isIdempotent: true
            ).decodeOnly(as: Int64.self)
            #expect(sessions <= 3)
            let page = String(decoding: registry.page(), as: UTF8.self)
            #expect(page.contains("\npostgres_pool_busy 0\n"))
            #expect(page.contains("\npostgres_pool_idle \(usage.idle)\n"))
        }
    }

    @Test func `a pool survives a crash of its server`() async throws {
        let server = try PostgresServer()
        let database = try await TestDatabase.empty(on: server)
        var options = ConnectionPool.Options(size: 2)
        options.waitTimeout = .seconds(1)
        options.reconnectPauseMax = .milliseconds(200)
        try await withPool(database.settings, options) { pool in
            _ = try await pool.execute(Self.one())
            let sleeping = TestLoop.shared.spawn {
                let result = await outcome { try await pool.execute(sql: "SELECT pg_sleep(60)") }
                #expect(result.error?.isUnavailable == true)
            }
            try server.stop(.immediate)
            await sleeping.value
            let down = await failure { _ = try await pool.execute(Self.one()) }
            guard case .poolExhausted(_, let lastFailure?) = down else {
                Issue.record("\(String(describing: down))")
                return
            }
            #expect(lastFailure.contains("failed"))
            try server.start()
            var answer: Result<Rows, PostgresError>
            let deadline = MonotonicInstant.now() + .seconds(30)
            repeat {
                answer = await outcome { try await pool.execute(Self.one()) }
            } while answer.error != nil && .now() < deadline
            let number = try answer.number()
            #expect(number == 1)
        }
        try server.stop(.immediate)
    }

    @Test func `when the server accepts no more connections the pool uses those it has`() async throws {
        let database = try await TestDatabase.empty()
        let role = "limited_\(database.name)"
        try await withConnection(to: database) { connection in
            _ = try await connection.execute(sql: "CREATE ROLE \(role) LOGIN CONNECTION LIMIT 2")
        }
        let limited: ConnectionPool.CredentialsProvider = { DatabaseCredentials(user: role) }
        var options = ConnectionPool.Options(size: 3)
        options.waitTimeout = .seconds(30)
        try await withPool(database.settings, options, credentials: limited) { pool in
            let served = try await pool.withConnection { _ in
                try await pool.withConnection { _ in
                    let third = Task(executorPreference: TestLoop.shared) {
                        await outcome { try await pool.execute(Self.one()) }
                    }
                    while pool.lastFailure == nil { await Task.yield() }
                    #expect(pool.lastFailure?.description.contains("too many connections") == true)
                    #expect(pool.usage.waiting == 1)
                    return third
                }
            }.value
            #expect(served.error == nil)
            var hurried = ConnectionPool.Options(size: 1)
            hurried.waitTimeout = .milliseconds(500)
            try await pool.withConnection { _ in
                try await pool.withConnection { [hurried] _ in
                    let other = ConnectionPool(
                        database.settings, options: hurried, on: TestLoop.shared, credentials: limited)
                    defer { other.close() }
                    let refused = await failure { _ = try await other.execute(Self.one()) }
                    #expect(refused?.isUnavailable == true)
                }
            }
        }
    }

    @Test func `waiting for a connection ends by timeout, by number of callers, and by cancellation`() async throws {
        let database = try await TestDatabase.empty()
        var options = ConnectionPool.Options(size: 1)
        options.waitTimeout = .seconds(2)
        options.waitersMax = 2
        try await withPool(database.settings, options) { pool in
            try await pool.withConnection { connection in
                let cancelled = Task(executorPreference: TestLoop.shared) {
                    await outcome { try await pool.execute(Self.one()) }
                }
                let late = Task(executorPreference: TestLoop.shared) {
                    await outcome { try await pool.withConnection { _ in } }
                }
                while pool.usage.waiting < 2 { await Task.yield() }
                let tooMany = await failure { _ = try await pool.execute(Self.one()) }
                guard case .poolExhausted(.zero, _) = tooMany else {
                    Issue.record("\(String(describing: tooMany))")
                    return
                }
                cancelled.cancel()
                guard case .cancelled? = await cancelled.value.error else {
                    Issue.record("the cancelled caller still waits")
                    return
                }
                guard case .poolExhausted(.seconds(2), nil)? = await late.value.error else {
                    Issue.record("the caller did not fail with poolExhausted")
                    return
                }
                #expect(pool.usage.waiting == 0)
                #expect(connection.isOpen)
            }
            _ = try await pool.execute(Self.one())
        }
    }

    @Test func `a transaction gets its connection while others keep it busy`() async throws {
        let database = try await TestDatabase.empty()
        try await withPool(database.settings, ConnectionPool.Options(size: 1)) { pool in
            let stop = StopSign()
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        while !stop.isUp { _ = await outcome { try await pool.execute(Self.one()) } }
                    }
                }
                for _ in 0..<20 {
                    let result = await outcome { try await pool.transaction { try await $0.execute(Self.one()) } }
                    #expect(result.error == nil)
                }
                stop.raise()
            }
        }
    }

    @Test func `rotated credentials are used for new connections, and old connections are closed when idle`()
        async throws
    {
        let database = try await TestDatabase.empty()
        let roles = ["old_\(database.name)", "new_\(database.name)"]
        try await withConnection(to: database) { connection in
            for role in roles { _ = try await connection.execute(sql: "CREATE ROLE \(role) LOGIN") }
        }
        let current = Mutex(roles[0])
        let name = Statement("whoami", "SELECT current_user::text")
        let options = ConnectionPool.Options(size: 2)
        let credentials: ConnectionPool.CredentialsProvider = {
            DatabaseCredentials(user: current.withLock { $0 })
        }
        try await withPool(database.settings, options, credentials: credentials) { pool in
            try await pool.withConnection { connection in
                current.withLock { $0 = roles[1] }
                pool.retireAll()
                let fresh = try await pool.execute(name()).decodeOnly(as: String.self)
                #expect(fresh == roles[1])
                let held = try await connection.execute(name()).decodeOnly(as: String.self)
                #expect(held == roles[0])
            }
            for _ in 0..<4 {
                let later = try await pool.execute(name()).decodeOnly(as: String.self)
                #expect(later == roles[1])
            }
        }
    }

    @Test func `a connection with an open transaction is not used again`() async throws {
        let database = try await TestDatabase.empty()
        try await withPool(database.settings, ConnectionPool.Options(size: 1)) { pool in
            let first = try await pool.withConnection { connection in
                _ = try await connection.execute(sql: "BEGIN")
                return connection.serverProcessID
            }
            let second = try await pool.execute(Self.processID()).decodeOnly(as: Int32.self)
            #expect(first != second)
        }
    }

    @Test func `old connections are replaced`() async throws {
        let database = try await TestDatabase.empty()
        var options = ConnectionPool.Options(size: 1)
        options.connectionAgeMax = .milliseconds(1)
        try await withPool(database.settings, options) { pool in
            let first = try await pool.execute(Self.processID()).decodeOnly(as: Int32.self)
            // The maximum age of a millisecond may not be reached when the first result arrives.
            let deadline = MonotonicInstant.now() + .seconds(30)
            var next = first
            while next == first, .now() < deadline {
                next = try await pool.execute(Self.processID()).decodeOnly(as: Int32.self)
            }
            #expect(first != next)
        }
    }

    @Test func `a closed pool rejects callers and fails those that wait`() async throws {
        let database = try await TestDatabase.empty()
        try await withPool(database.settings, ConnectionPool.Options(size: 1)) { pool in
            try await pool.withConnection { _ in
                let waiting = Task(executorPreference: TestLoop.shared) {
                    await outcome { try await pool.execute(Self.one()) }
                }
                while pool.usage.waiting < 1 { await Task.yield() }
                pool.close()
                guard case .closed? = await waiting.value.error else {
                    Issue.record("the caller still waits")
                    return
                }
            }
            let error = await failure { _ = try await pool.execute(Self.one()) }
            guard case .closed = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }
}
