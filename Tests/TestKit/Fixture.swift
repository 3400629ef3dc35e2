public import Jobs
public import Pauses
public import Pools
public import Postgres
public import Values
public import Workers

/// A migrated database of a test's own, with connections and stores as a program has them. It lives on `TestLoop`.
///
/// The extensions are the vocabulary of the tests: jobs to work on (`enqueue`, `lease`, `finish`), workers and members
/// (`joinWorker`, `joinPool`), and time travel (`makeDue`, `expireLeases`) in place of statements.
public struct Fixture: Sendable {
    public let database: TestDatabase
    /// For the hot statements of jobs, workers and members of pools.
    public let hot: ConnectionPool
    /// For everything else, and for the test's own statements: its sessions plan as PostgreSQL sees fit.
    public let general: ConnectionPool

    public let jobs: JobStore
    public let queues: QueueReports
    public let workers: WorkerRegistry
    public let pauses: PauseStore
    /// As the API and the reaper have it.
    public let pools: PoolStore
    /// As members have it.
    public let members: PoolStore

    private init(_ database: TestDatabase, connections: Int, notifier: ReadyNotifier? = nil) {
        self.database = database
        hot = ConnectionPool(database.settings, profile: .hot, options: .init(size: connections), on: TestLoop.shared)
        general = ConnectionPool(database.settings, options: .init(size: connections), on: TestLoop.shared)
        jobs = JobStore(hot: hot, general: general, subqueues: SubqueueDirectory(), notifier: notifier)
        queues = QueueReports(pool: general)
        workers = WorkerRegistry(pool: hot)
        pauses = PauseStore(pool: general)
        pools = PoolStore(pool: general)
        members = PoolStore(pool: hot)
    }

    /// Runs `body` on the loop with a new database, or with one that the test has made.
    public static func use<Value: Sendable>(
        _ database: TestDatabase? = nil, _ body: @Sendable (Fixture) async throws -> Value
    ) async throws -> Value {
        let database = if let database { database } else { try await TestDatabase.migrated() }
        return try await TestLoop.run {
            // Opened when they are needed.
            let fixture = Fixture(database, connections: 4)
            defer { fixture.close() }
            return try await body(fixture)
        }
    }

    private func close() {
        hot.close()
        general.close()
    }

    // MARK: Other processes

    /// Another process on the same database, with one connection of each kind, for as long as `body` runs.
    public func withOther<Value: Sendable>(
        notifier: ReadyNotifier? = nil, _ body: @Sendable (Fixture) async throws -> Value
    ) async throws -> Value {
        let other = Fixture(database, connections: 1, notifier: notifier)
        defer { other.close() }
        return try await body(other)
    }

    /// Runs `body` with the stores of `count` processes on this database, each with one hot connection.
    public func withStores<Value: Sendable>(
        _ count: Int, _ body: @Sendable ([JobStore]) async throws -> Value
    ) async throws -> Value {
        var options = ConnectionPool.Options(size: 1)
        options.reconnectPauseMax = .milliseconds(20)
        let sessions = (0..<count).map { _ in
            ConnectionPool(database.settings, profile: .hot, options: options, on: TestLoop.shared)
        }
        defer { for connection in sessions { connection.close() } }
        return try await body(sessions.map { JobStore(hot: $0, general: general, subqueues: SubqueueDirectory()) })
    }

    /// Runs `body` while another session holds what its statement locks.
    public func holding(_ statement: String, _ body: () async throws -> Void) async throws {
        try await general.transaction { transaction in
            // Programs under test may hold the lock for as long as a statement of theirs takes.
            _ = try await transaction.execute(sql: "SET LOCAL lock_timeout = 0")
            _ = try await transaction.execute(sql: statement)
            try await body()
        }
    }

    /// Waits until another session waits for a lock, in a statement that contains `text`.
    public func waitUntilBlocked(inStatementWith text: String = "") async throws {
        try await waitUntil("a statement with \"\(text)\" waits for a lock") {
            try await isBlocked(inStatementWith: text)
        }
    }

    /// Whether another session waits for a lock, in a statement that contains `text`.
    public func isBlocked(inStatementWith text: String) async throws -> Bool {
        var parameters = Parameters()
        parameters.append(text: text)
        let blocked = """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock' AND position($1 IN query) > 0
            """
        return try await sql(blocked, parameters).decodeOnly(as: Int64.self) > 0
    }

    // MARK: Statements of a test's own

    /// Runs a statement with the planner's usual settings.
    @discardableResult
    public func sql(_ sql: String, _ parameters: Parameters = Parameters()) async throws -> Rows {
        try await general.execute(sql: sql, parameters)
    }

    @discardableResult
    public func sql(_ sql: String, texts: [String]) async throws -> Rows {
        var parameters = Parameters()
        for text in texts { parameters.append(text: text) }
        return try await self.sql(sql, parameters)
    }

    /// Brings the planner's statistics up to date, as autovacuum does.
    public func analyze(_ tables: [String]) async throws {
        for table in tables { try await sql("VACUUM ANALYZE \(table)") }
    }

    /// The only value of a query.
    public func number(_ sql: String) async throws -> Int64 {
        try await self.sql(sql).decodeOnly(as: Int64.self)
    }

    /// The number of rows of a table.
    public func count(_ table: String) async throws -> Int64 {
        try await number("SELECT count(*) FROM \(table)")
    }

    /// Waits until a table has `expected` rows.
    public func waitUntilCount(
        of table: String, is expected: Int64, within duration: Duration = .seconds(15)
    ) async throws {
        try await waitUntil("\(table) has \(expected) rows", within: duration) {
            try await count(table) == expected
        }
    }

    /// The first column of each row.
    public func ids(_ sql: String) async throws -> Set<UUID> {
        Set(try await self.sql(sql).decode(as: UUID.self))
    }
}
