import EventLoop
import Postgres
import Telemetry
import TestKit
import Testing
import Values

/// What a pool does when a statement meets another transaction.
@Suite struct LockWaitTests {
    private static let increment = Statement<Int32>("increment", "UPDATE t SET n = n + 1 WHERE id = $1")
    private static let slowly = Statement("slowly", "SELECT pg_sleep(0.2)")

    /// Calls `body` with two pools of one session each, and a table with the rows 1 and 2.
    private func withPools(
        lockTimeout: Duration = .milliseconds(50), lockWaitMax: Duration = .seconds(20),
        _ body: @Sendable (ConnectionPool, ConnectionPool, MetricRegistry) async throws -> Void
    ) async throws {
        let database = try await TestDatabase.empty()
        try await TestLoop.run {
            let registry = MetricRegistry()
            let metrics = ConnectionPoolMetrics(registry: registry)
            var options = ConnectionPool.Options(size: 1)
            options.lockTimeout = lockTimeout
            options.lockWaitMax = lockWaitMax
            var settings = database.settings
            settings.schema = "public"
            let pools = (0..<2).map { [settings] _ in
                ConnectionPool(settings, options: options, on: TestLoop.shared, metrics: metrics)
            }
            defer { for pool in pools { pool.close() } }
            _ = try await pools[0].execute(sql: "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL)")
            _ = try await pools[0].execute(sql: "INSERT INTO t VALUES (1, 0), (2, 0)")
            try await body(pools[0], pools[1], registry)
        }
    }

    /// The second row, then the first.
    private static func incrementBoth(_ pool: ConnectionPool) async throws(PostgresError) {
        try await pool.transaction(.readCommitted) { (transaction) async throws(PostgresError) in
            _ = try await transaction.execute(increment(2))
            _ = try await transaction.execute(slowly())
            _ = try await transaction.execute(increment(1))
        }
    }

    private func sum(_ pool: ConnectionPool) async throws -> Int64 {
        try await pool.execute(sql: "SELECT sum(n) FROM t").decodeOnly()
    }

    @Test func `a statement that waits for a lock does not delay those behind it on its session`() async throws {
        try await withPools { pool, other, registry in
            let waiting = try await other.transaction { transaction in
                _ = try await transaction.execute(Self.increment(1))
                let waiting = (0..<10).map { _ in
                    Task(executorPreference: TestLoop.shared) { try await pool.execute(Self.increment(1)) }
                }
                for _ in 0..<20 {
                    let start = MonotonicInstant.now()
                    _ = try await pool.execute(Self.increment(2))
                    #expect(MonotonicInstant.now() - start < .seconds(2))
                }
                return waiting
            }
            for task in waiting { _ = try await task.value }
            #expect(try await sum(pool) == 31)
            let page = String(decoding: registry.page(), as: UTF8.self)
            #expect(!page.contains("\npostgres_lock_timeouts_total 0\n"))
        }
    }

    @Test func `a statement whose lock is not free within the limit fails`()
        async throws
    {
        try await withPools(lockWaitMax: .milliseconds(300)) { pool, other, _ in
            try await other.transaction { transaction in
                _ = try await transaction.execute(Self.increment(1))
                for wait in [LockWait.inTries, .once, .briefly, .again] {
                    let start = MonotonicInstant.now()
                    let error = await failure { _ = try await pool.execute(Self.increment(1), lockWait: wait) }
                    #expect(error?.sqlState == .lockNotAvailable)
                    if case .inTries = wait { #expect(MonotonicInstant.now() - start >= .milliseconds(300)) }
                }
                let error = await failure { try await Self.incrementBoth(pool) }
                #expect(error?.sqlState == .lockNotAvailable)
            }
            #expect(try await sum(pool) == 1)
        }
    }

    @Test func `the limit of a brief try does not stay in the session`() async throws {
        try await withPools { pool, _, _ in
            _ = try await pool.execute(Self.increment(1), lockWait: .briefly)
            let timeout: String = try await pool.execute(sql: "SHOW lock_timeout").decodeOnly()
            #expect(timeout == "50ms")
        }
    }

    @Test func `a transaction that a deadlock aborts is repeated`() async throws {
        try await withPools(lockTimeout: .seconds(20)) { pool, other, registry in
            let one = Task(executorPreference: TestLoop.shared) {
                _ = try await pool.executeGroup([Self.increment(1), Self.slowly(), Self.increment(2)])
            }
            try await Self.incrementBoth(other)
            try await one.value
            #expect(try await sum(pool) == 4)
            let page = String(decoding: registry.page(), as: UTF8.self)
            #expect(page.contains("\npostgres_conflicts_total 1\n"))
        }
    }
}
