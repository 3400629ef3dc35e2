public import EventLoop
internal import Values

/// Brings the schema of a database to the state of a directory of files.
///
/// One process at a time does it: the others wait for its lock, and then find nothing left to do. A file is one
/// transaction, which also writes its row of `schema_migration`; a `-- no-transaction` file is run statement by
/// statement, so each of its statements must bear to be run again.
public struct Migrator: Sendable {
    /// How long things may take.
    public struct Limits: Sendable {
        /// For another process to finish migrating.
        public var lockWait = Duration.seconds(120)
        /// For a lock on a table (`lock_timeout`): while it waits, everyone behind it waits too.
        public var tableLockWait = Duration.seconds(2)
        /// How often a file is tried when it does not get its locks.
        public var attemptsMax = 20
        /// Between two of them.
        public var pauseBetweenAttempts = Duration.seconds(1)

        public init() {}
    }

    /// A file that `up` has applied.
    public struct Step: Sendable, Equatable {
        public let file: MigrationFile
        public let milliseconds: Int32
    }

    public var limits = Limits()
    let settings: DatabaseSettings
    let credentials: DatabaseCredentials?
    let files: [MigrationFile]
    let loop: Loop

    /// The longest that one statement may take: building an index on a large table is no failure.
    static let statementTimeout = Duration.seconds(24 * 3600)

    /// - Parameters:
    ///   - settings: of a role that may create tables; need not be the one that the services use.
    ///   - files: as `MigrationFile.readAll` gives them.
    public init(
        settings: DatabaseSettings, credentials: DatabaseCredentials? = nil, files: [MigrationFile], on loop: Loop
    ) {
        var settings = settings
        // No limit of the server's (0): each call sets its own.
        settings.statementTimeout = .zero
        self.settings = settings
        self.credentials = credentials
        self.files = files
        self.loop = loop
    }

    /// Applies what is pending. Call it on the loop.
    /// - Parameter willApply: called before each file, for progress.
    /// - Returns: what was applied now; empty if all was done before.
    public func up(willApply: (MigrationFile) -> Void = { _ in }) async throws(MigrationError) -> [Step] {
        try await withConnection { (database) async throws(MigrationError) in
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
            return steps
        }
    }

    /// What `up` would do. Writes nothing, not even the table of migrations, and waits for nobody.
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
        // With the session its lock is released too.
        defer { database.close() }
        return try await body(database)
    }

    /// Asks again and again instead of waiting inside PostgreSQL: a waiting session holds a snapshot, and
    /// `CREATE INDEX CONCURRENTLY` of the one at work would wait for that, for ever.
    private func lock(_ database: DatabaseConnection) async throws(MigrationError) {
        let start = MonotonicInstant.now()
        while true {
            var parameters = Parameters()
            parameters.append(text: "jobqueue migration of \(settings.schema)")
            do throws(PostgresError) {
                let sql = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
                if try await database.execute(sql: sql, parameters).onlyRow().bool(0) { return }
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
        do {
            try await ledger.connection.transaction { transaction in
                _ = try await transaction.execute(sql: "SET LOCAL lock_timeout = \(lockTimeoutMilliseconds)")
                try await run(migration.file) { sql throws(PostgresError) in
                    _ = try await transaction.execute(sql: sql, timeout: Migrator.statementTimeout)
                }
                guard ledger.connection.isInTransaction else {
                    throw MigrationError.badFile(migration.file.fileName, reason: "ends its transaction itself")
                }
                let record = ledger.record(migration, milliseconds: Migrator.milliseconds(since: start))
                _ = try await transaction.execute(sql: record.sql, record.parameters)
            }
        } catch let error as MigrationError {
            throw error
        } catch let error as PostgresError {
            throw .failed(file: migration.file.fileName, line: 1, error: error)
        } catch {
            preconditionFailure("an error of no known type: \(error)")
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
