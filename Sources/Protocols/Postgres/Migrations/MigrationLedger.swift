/// The table `schema_migration`, which records the applied files.
struct MigrationLedger {
    let schema: String
    let connection: DatabaseConnection

    /// Creates schema and table if they do not exist. Their existence is checked first, because `IF NOT EXISTS`
    /// requires the privilege to create even if there is nothing to create.
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

    /// The applied migrations by version; empty if the table does not exist.
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

    /// The files with their checksums, computed by PostgreSQL (`sha256`), so that the table can be verified in SQL.
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
        // Qualified with the schema, because a file may have changed the search path.
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

/// Quoting of identifiers. No other code inserts names into SQL text.
enum SQLIdentifier {
    /// The name in double quotes, with inner double quotes doubled (PostgreSQL documentation, "Identifiers and Key
    /// Words").
    static func quoted(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
