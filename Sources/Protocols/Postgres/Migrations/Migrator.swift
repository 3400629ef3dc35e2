public import EventLoop
internal import Values

/// Applies the migrations of a directory to a database.
///
/// An advisory lock admits one process at a time; the others wait, and then find nothing to apply. A file is executed
/// in one transaction, which also inserts its row into `schema_migration`. A `-- no-transaction` file is executed
/// statement by statement; each of its statements must be repeatable, because a failed file is executed again from its
/// start.
public struct Migrator: Sendable {
    public struct Limits: Sendable {
        /// Maximum wait for another process that migrates.
        public var lockWait = Duration.seconds(120)
        /// Maximum wait for a lock on a table (`lock_timeout`). Short, because other sessions queue behind a waiting
        /// one.
        public var tableLockWait = Duration.seconds(2)
        /// Maximum number of attempts for a file that does not get its table locks.
        public var attemptsMax = 20
        /// Pause between two attempts.
        public var pauseBetweenAttempts = Duration.seconds(1)

        public init() {}
    }

    /// A file applied by `up`.
    public struct Step: Sendable, Equatable {
        public let file: MigrationFile
        /// Duration of its execution.
        public let milliseconds: Int32
    }

    public var limits = Limits()
    let settings: DatabaseSettings
    let credentials: DatabaseCredentials?
    let files: [MigrationFile]
    let loop: Loop

    /// Maximum duration of one statement. Long, for the creation of an index on a large table.
    static let statementTimeout = Duration.seconds(24 * 3600)

    /// - Parameters:
    ///   - settings: for a role that may create tables, which may differ from that of the services.
    ///   - files: the result of `MigrationFile.readAll`.
    public init(
        settings: DatabaseSettings, credentials: DatabaseCredentials? = nil, files: [MigrationFile], on loop: Loop
    ) {
        var settings = settings
        // 0: no limit in the server. Each call has its own timeout.
        settings.statementTimeout = .zero
        self.settings = settings
        self.credentials = credentials
        self.files = files
        self.loop = loop
    }

    /// Applies the pending files.
    /// - Parameters:
    ///   - last: a statement to execute after them, also if there are none.
    ///   - willApply: called before each file, for progress messages.
    /// - Returns: the files applied by this call.
    /// - Precondition: called on the loop.
    public func up(
        then last: SQLFragment? = nil, willApply: (MigrationFile) -> Void = { _ in }
    ) async throws(MigrationError) -> [Step] {
        try await withConnection { (database) async throws(MigrationError) in
            try await requireEncoding(database)
            try await lock(database)
            let ledger = MigrationLedger(schema: settings.schema, connection: database)
            try await ledger.create()
            let plan = try await plan(ledger)
            var steps: [Step] = []
            for pending in plan.pending {
                willApply(pending.file)
                let milliseconds = try await apply(pending, ledger)
                steps.append(Step(file: pending.file, milliseconds: milliseconds))
            }
            if let last {
                do throws(PostgresError) {
                    _ = try await database.execute(sql: last.text)
                } catch {
                    throw .database(error)
                }
            }
            return steps
        }
    }

    /// The plan of `up`. Writes nothing and does not wait for the migration lock.
    public func plan() async throws(MigrationError) -> MigrationPlan {
        try await withConnection { (database) async throws(MigrationError) in
            try await plan(MigrationLedger(schema: settings.schema, connection: database))
        }
    }

    private func plan(_ ledger: MigrationLedger) async throws(MigrationError) -> MigrationPlan {
        let available = try await ledger.withChecksums(files)
        return try MigrationPlan(available: available, applied: try await ledger.applied())
    }

    private func withConnection<Value>(
        _ body: (DatabaseConnection) async throws(MigrationError) -> Value
    ) async throws(MigrationError) -> Value {
        let database: DatabaseConnection
        do throws(PostgresError) {
            database = try await DatabaseConnection.connect(
                settings, profile: .general, credentials: credentials, on: loop)
        } catch {
            throw .database(error)
        }
        // Closing the session also releases the advisory lock.
        defer { database.close() }
        return try await body(database)
    }

    private func requireEncoding(_ database: DatabaseConnection) async throws(MigrationError) {
        let encoding: String
        do throws(PostgresError) {
            encoding = try await database.execute(sql: "SHOW server_encoding").decodeOnly()
        } catch {
            throw .database(error)
        }
        guard encoding == "UTF8" else { throw .encoding(encoding) }
    }

    /// Polls for the lock instead of waiting in PostgreSQL: a waiting session holds a snapshot, and a
    /// `CREATE INDEX CONCURRENTLY` of the migrating session would wait for that snapshot indefinitely.
    private func lock(_ database: DatabaseConnection) async throws(MigrationError) {
        let start = MonotonicInstant.now()
        while true {
            var parameters = Parameters()
            parameters.append(text: "jobqueue migration of \(settings.schema)")
            do throws(PostgresError) {
                let sql = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
                if try await database.execute(sql: sql, parameters).decodeOnly(as: Bool.self) { return }
            } catch {
                throw .database(error)
            }
            let waited = MonotonicInstant.now() - start
            guard waited < limits.lockWait else { throw .locked(waited: waited) }
            do {
                try await loop.sleep(for: .milliseconds(100))
            } catch {
                throw .database(.cancelled)
            }
        }
    }

    // MARK: One file

    private func apply(
        _ migration: MigrationPlan.Available, _ ledger: MigrationLedger
    ) async throws(MigrationError) -> Int32 {
        let start = MonotonicInstant.now()
        var attempt = 1
        while true {
            do throws(MigrationError) {
                if migration.file.isTransactional {
                    try await applyInTransaction(migration, ledger, since: start)
                } else {
                    try await applyOutsideTransaction(migration, ledger, since: start)
                }
                return Migrator.milliseconds(since: start)
            } catch {
                guard case .failed(_, _, let cause) = error, cause.sqlState == .lockNotAvailable,
                    migration.file.isTransactional, attempt < limits.attemptsMax
                else { throw error }
            }
            attempt += 1
            do {
                try await loop.sleep(for: limits.pauseBetweenAttempts)
            } catch {
                throw .database(.cancelled)
            }
        }
    }

    private func applyInTransaction(
        _ migration: MigrationPlan.Available, _ ledger: MigrationLedger, since start: MonotonicInstant
    ) async throws(MigrationError) {
        do throws(MigrationError) {
            try await ledger.connection.transaction { (transaction) async throws(MigrationError) in
                try await execute("SET LOCAL lock_timeout = \(lockTimeoutMilliseconds)", in: transaction)
                try await run(migration.file) { sql throws(PostgresError) in
                    _ = try await transaction.execute(sql: sql, timeout: Migrator.statementTimeout)
                }
                guard ledger.connection.isInTransaction else {
                    throw .badFile(
                        migration.file.fileName, reason: "ends its transaction; remove COMMIT or ROLLBACK")
                }
                let record = ledger.record(migration, milliseconds: Migrator.milliseconds(since: start))
                try await execute(record.sql, record.parameters, in: transaction)
            }
        } catch .database(let error) {
            throw .failed(file: migration.file.fileName, line: 1, error: error)
        }
    }

    private func execute(
        _ sql: String, _ parameters: Parameters = Parameters(), in transaction: Transaction
    ) async throws(MigrationError) {
        do throws(PostgresError) {
            _ = try await transaction.execute(sql: sql, parameters)
        } catch {
            throw .database(error)
        }
    }

    private func applyOutsideTransaction(
        _ migration: MigrationPlan.Available, _ ledger: MigrationLedger, since start: MonotonicInstant
    ) async throws(MigrationError) {
        let connection = ledger.connection
        do throws(PostgresError) {
            _ = try await connection.execute(sql: "SET lock_timeout = \(lockTimeoutMilliseconds)")
        } catch {
            throw .database(error)
        }
        try await run(migration.file) { sql throws(PostgresError) in
            _ = try await connection.execute(sql: sql, timeout: Migrator.statementTimeout)
        }
        let record = ledger.record(migration, milliseconds: Migrator.milliseconds(since: start))
        do throws(PostgresError) {
            _ = try await connection.execute(sql: record.sql, record.parameters)
            _ = try await connection.execute(sql: "RESET lock_timeout")
        } catch {
            throw .database(error)
        }
    }

    private func run(
        _ file: MigrationFile, _ execute: (String) async throws(PostgresError) -> Void
    ) async throws(MigrationError) {
        for statement in SQLScript.statements(of: file.sql) {
            do throws(PostgresError) {
                try await execute(statement.text)
            } catch {
                throw .failed(file: file.fileName, line: statement.line, error: error)
            }
        }
    }

    private var lockTimeoutMilliseconds: Int64 { limits.tableLockWait.clampedNanoseconds / 1_000_000 }

    private static func milliseconds(since start: MonotonicInstant) -> Int32 {
        Int32(clamping: (MonotonicInstant.now() - start).clampedNanoseconds / 1_000_000)
    }
}
