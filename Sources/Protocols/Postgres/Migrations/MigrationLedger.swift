/// The table `schema_migration`: which files a database has had.
struct MigrationLedger {
    let schema: String
    let connection: DatabaseConnection

    /// Makes schema and table if they do not exist. `IF NOT EXISTS` alone asks for the right to create even when there
    /// is nothing to create, so existence is asked first.
    func create() async throws(MigrationError) {
        do throws(PostgresError) {
            var parameters = Parameters()
            parameters.append(text: schema)
            let exists = try await connection.execute(
                sql: "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", parameters)
            if try !exists.decodeOnly(as: Bool.self) {
                _ = try await connection.execute(sql: "CREATE SCHEMA IF NOT EXISTS \(SQLIdentifier.quoted(schema))")
            }
            guard try await !tableExists() else { return }
            _ = try await connection.execute(
                sql: """
                    CREATE TABLE schema_migration (
                        version integer PRIMARY KEY,
                        name text NOT NULL,
                        checksum bytea NOT NULL,
                        applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
                        duration_ms integer NOT NULL
                    )
                    """)
        } catch {
            throw .database(error)
        }
    }

    /// Empty also when there is no table yet.
    func applied() async throws(MigrationError) -> [MigrationPlan.Applied] {
        do throws(PostgresError) {
            guard try await tableExists() else { return [] }
            let rows = try await connection.execute(
                sql: "SELECT version, name, checksum, applied_at FROM schema_migration ORDER BY version")
            return try rows.decode()
        } catch {
            throw .database(error)
        }
    }

    /// The checksums are PostgreSQL's own (`sha256`), so that the ledger can be checked by hand.
    func withChecksums(_ files: [MigrationFile]) async throws(MigrationError) -> [MigrationPlan.Available] {
        var available: [MigrationPlan.Available] = []
        do throws(PostgresError) {
            for file in files {
                var parameters = Parameters()
                parameters.append(bytea: Array(file.sql.utf8))
                let rows = try await connection.execute(sql: "SELECT sha256($1)", parameters)
                available.append(MigrationPlan.Available(file: file, checksum: try rows.decodeOnly()))
            }
        } catch {
            throw .database(error)
        }
        return available
    }

    func record(
        _ migration: MigrationPlan.Available, milliseconds: Int32
    ) -> (sql: String, parameters: Parameters) {
        var parameters = Parameters()
        parameters.append(migration.file.version)
        parameters.append(text: migration.file.name)
        parameters.append(bytea: migration.checksum)
        parameters.append(milliseconds)
        // With its schema: a file may have changed the search path.
        let table = SQLIdentifier.quoted(schema) + ".schema_migration"
        return (
            "INSERT INTO \(table) (version, name, checksum, duration_ms) VALUES ($1, $2, $3, $4)", parameters
        )
    }

    private func tableExists() async throws(PostgresError) -> Bool {
        var parameters = Parameters()
        parameters.append(text: schema)
        let rows = try await connection.execute(
            sql: "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = 'schema_migration')",
            parameters)
        return try rows.decodeOnly()
    }
}

extension MigrationPlan.Applied: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        version = try columns.next()
        name = try columns.next()
        checksum = try columns.next()
        appliedAt = try columns.next()
    }
}

/// The one place where a name goes into SQL as text.
enum SQLIdentifier {
    /// In double quotes, those within doubled (documentation, "Identifiers and Key Words").
    static func quoted(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
