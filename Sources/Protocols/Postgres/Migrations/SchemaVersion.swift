/// The version of a database's schema, which a process checks before it uses the database.
public enum SchemaVersion {
    /// The last migration of this release, which it requires.
    public static let required: Int32 = 13

    private static let statement = Statement(
        "schema_version", "SELECT max(version) FROM schema_migration", isIdempotent: true)

    /// The version of the last applied migration; nil if there is none, or no table `schema_migration`.
    public static func current(
        _ execute: (BoundStatement) async throws(PostgresError) -> Rows
    ) async throws(PostgresError) -> Int32? {
        do throws(PostgresError) {
            return try await execute(statement()).decodeOnly()
        } catch {
            guard error.sqlState == .undefinedTable else { throw error }
            return nil
        }
    }

    /// Why a process that requires version `expected` cannot use a database at version `current`; nil if it can.
    ///
    /// A newer schema is compatible: the schema is migrated before the programs are replaced, and programs of the old
    /// release keep running, restart and scale until then. Migrations therefore only add to what a release uses.
    public static func obstacle(current: Int32?, expected: Int32 = required) -> String? {
        switch current {
        case nil: "the database has no schema yet; run: jobqueue-api migrate up"
        case .some(let version) where version < expected:
            "the database is at migration \(version), but this release requires \(expected); run: jobqueue-api "
                + "migrate up"
        default: nil
        }
    }

    /// A warning that the database is at a newer version than this release; nil if it is not.
    public static func lead(current: Int32?, expected: Int32 = required) -> String? {
        guard let current, current > expected else { return nil }
        return "the database is at migration \(current), newer than this release, which ends at \(expected)"
    }
}
