import EventLoop
import Glibc
import Postgres
import TestKit
import Testing

@Suite struct MigratorTests {
    private static let create = MigrationFile(version: 1, name: "create", sql: "CREATE TABLE t (n int8);\n")
    private static let fill = MigrationFile(
        version: 2, name: "fill", sql: "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);")

    private func migrator(
        _ database: TestDatabase, _ files: [MigrationFile], change: (inout Migrator.Limits) -> Void = { _ in }
    ) -> Migrator {
        var migrator = Migrator(settings: database.settings, files: files, on: TestLoop.shared)
        migrator.limits.pauseBetweenAttempts = .milliseconds(10)
        change(&migrator.limits)
        return migrator
    }

    private func up(_ migrator: Migrator) async throws -> [Int32] {
        try await TestLoop.run { try await migrator.up().map(\.file.version) }
    }

    /// The error of `up`; nil if it succeeds.
    private func refusal(_ migrator: Migrator) async -> MigrationError? {
        do {
            _ = try await up(migrator)
            return nil
        } catch {
            return error as? MigrationError
        }
    }

    private func schemaVersion(of connection: DatabaseConnection) async throws -> Int32? {
        try await SchemaVersion.current { statement throws(PostgresError) in try await connection.execute(statement) }
    }

    private func number(_ database: TestDatabase, _ sql: String) async throws -> Int64 {
        try await withConnection(to: database) { try await $0.number(sql) }
    }

    @Test func `the migrations of the repository are applied once`() async throws {
        let files = try MigrationFile.readAll(in: TestDatabase.migrationsDirectory)
        let database = try await TestDatabase.migrated()
        let version = try await withConnection(to: database) { try await schemaVersion(of: $0) }
        #expect(version == files.last?.version)
        #expect(version == SchemaVersion.required)
        let applied = try await up(migrator(database, files))
        #expect(applied == [])
    }

    @Test func `files are applied in order, each once, and recorded`() async throws {
        let database = try await TestDatabase.empty()
        #expect(try await up(migrator(database, [Self.create])) == [1])
        #expect(try await up(migrator(database, [Self.create, Self.fill])) == [2])
        #expect(try await up(migrator(database, [Self.create, Self.fill])) == [])
        #expect(try await number(database, "SELECT sum(n)::int8 FROM t") == 3)
        let recorded = """
            SELECT count(*) FROM schema_migration
            WHERE checksum = sha256('CREATE TABLE t (n int8);\n') AND name = 'create' AND version = 1
                AND applied_at > now() - interval '1 minute' AND duration_ms >= 0
            """
        #expect(try await number(database, recorded) == 1)
    }

    @Test func `a plan writes nothing`() async throws {
        let database = try await TestDatabase.empty()
        let migrator = migrator(database, [Self.create, Self.fill])
        let pending = try await TestLoop.run { try await migrator.plan().pending.map(\.file.fileName) }
        #expect(pending == ["0001_create.sql", "0002_fill.sql"])
        let version = try await withConnection(to: database) { try await schemaVersion(of: $0) }
        #expect(version == nil)
        #expect(try await number(database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'jobqueue'") == 0)
    }

    @Test func `a changed file and a newer database are rejected without any change`() async throws {
        let database = try await TestDatabase.empty()
        _ = try await up(migrator(database, [Self.create]))
        let changed = MigrationFile(version: 1, name: "create", sql: "CREATE TABLE t (n int4)")
        guard case .refused(let first)? = await refusal(migrator(database, [changed, Self.fill])) else {
            Issue.record("a changed file was accepted")
            return
        }
        #expect(first == [.changed(file: "0001_create.sql")])
        _ = try await up(migrator(database, [Self.create, Self.fill]))
        guard case .refused(let second)? = await refusal(migrator(database, [Self.create])) else {
            Issue.record("a newer database was accepted")
            return
        }
        #expect(second == [.newer(version: 2, name: "fill", latestFile: 1)])
        #expect(try await number(database, "SELECT count(*) FROM t") == 2)
    }

    @Test func `a failed file is rolled back and reported with its line`() async throws {
        let database = try await TestDatabase.empty()
        let broken = MigrationFile(
            version: 2, name: "broken", sql: "INSERT INTO t VALUES (1);\n\n-- why\nINSERT INTO t VALUES ('x');")
        let error = await refusal(migrator(database, [Self.create, broken]))
        guard case .failed("0002_broken.sql", 4, let cause)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(cause.sqlState == .invalidTextRepresentation)
        #expect(try await number(database, "SELECT count(*) FROM t") == 0)
        #expect(try await number(database, "SELECT max(version)::int8 FROM schema_migration") == 1)
        #expect(try await up(migrator(database, [Self.create, Self.fill])) == [2])
    }

    @Test func `two migrators at the same time apply each file once`() async throws {
        let database = try await TestDatabase.empty()
        let slow = MigrationFile(version: 2, name: "slow", sql: "SELECT pg_sleep(0.2); INSERT INTO t VALUES (1)")
        let index = MigrationFile(
            version: 3, name: "index", sql: "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON t (n);\nANALYZE t;")
        let migrator = migrator(database, [Self.create, slow, index])
        async let first = up(migrator)
        async let second = up(migrator)
        let steps = try await [first, second].sorted { $0.count < $1.count }
        #expect(steps == [[], [1, 2, 3]])
        #expect(try await number(database, "SELECT count(*) FROM t") == 1)
    }

    @Test func `the wait for another migrator is limited`() async throws {
        let database = try await TestDatabase.empty()
        try await withConnection(to: database) { holder in
            _ = try await holder.execute(
                sql: "SELECT pg_advisory_lock(hashtextextended('jobqueue migration of jobqueue', 0))")
            let migrator = migrator(database, [Self.create]) { $0.lockWait = .milliseconds(150) }
            guard case .locked? = await refusal(migrator) else {
                Issue.record("the migrator did not fail with locked")
                return
            }
        }
    }

    @Test func `a locked table is waited for in short attempts`() async throws {
        let database = try await TestDatabase.empty()
        _ = try await up(migrator(database, [Self.create]))
        let alter = MigrationFile(version: 2, name: "alter", sql: "ALTER TABLE t ADD COLUMN m int8")
        try await withConnection(to: database) { holder in
            try await holder.transaction { transaction in
                _ = try await transaction.execute(sql: "LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
                let once = migrator(database, [Self.create, alter]) {
                    $0.tableLockWait = .milliseconds(20)
                    $0.attemptsMax = 1
                }
                let error = await refusal(once)
                guard case .failed("0002_alter.sql", 1, let cause)? = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
                #expect(cause.sqlState == .lockNotAvailable)
            }
            let patient = migrator(database, [Self.create, alter]) {
                $0.tableLockWait = .milliseconds(20)
                $0.attemptsMax = 1_000
            }
            let task = try await holder.transaction { transaction in
                _ = try await transaction.execute(sql: "LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
                let task = Task { try await up(patient) }
                _ = try await transaction.execute(sql: "SELECT pg_sleep(0.3)")
                return task
            }
            #expect(try await task.value == [2])
        }
    }

    @Test func `a file that ends its transaction is rejected`() async throws {
        let database = try await TestDatabase.empty()
        let sneaky = MigrationFile(version: 1, name: "sneaky", sql: "CREATE TABLE a (); COMMIT; CREATE TABLE b ()")
        guard case .badFile? = await refusal(migrator(database, [sneaky])) else {
            Issue.record("the file was accepted")
            return
        }
    }

    @Test func `a schema with another name is created and used`() async throws {
        let database = try await TestDatabase.empty()
        var settings = database.settings
        settings.schema = #"Other "schema"#
        let migrator = Migrator(settings: settings, files: [Self.create, Self.fill], on: TestLoop.shared)
        #expect(try await up(migrator) == [1, 2])
        #expect(try await number(database, #"SELECT count(*) FROM "Other ""schema".t"#) == 2)
    }

    @Test func `a directory is read in order, and its errors are reported`() throws {
        let directory = "/tmp/jobqueue-migrations-\(getpid())"
        mkdir(directory, 0o700)
        func write(_ name: String, _ text: String) {
            let file = fopen("\(directory)/\(name)", "w")
            fputs(text, file)
            fclose(file)
        }
        func remove(_ name: String) { unlink("\(directory)/\(name)") }
        defer {
            for name in ["0002_b.sql", "0001_a.sql", "README.md"] { remove(name) }
            rmdir(directory)
        }
        #expect(throws: MigrationError.self) { try MigrationFile.readAll(in: directory + "/none") }
        #expect(throws: MigrationError.self) { try MigrationFile.readAll(in: directory) }
        write("0002_b.sql", "SELECT 2")
        write("0001_a.sql", "SELECT '\u{e9}'")
        write("README.md", "no migration")
        let files = try MigrationFile.readAll(in: directory)
        #expect(files.map(\.fileName) == ["0001_a.sql", "0002_b.sql"])
        #expect(files.first?.sql == "SELECT '\u{e9}'")
        for bad in ["0002_c.sql", "3_d.sql"] {
            write(bad, "SELECT 3")
            #expect(throws: MigrationError.self) { try MigrationFile.readAll(in: directory) }
            remove(bad)
        }
    }
}
