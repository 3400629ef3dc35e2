/// Which migration a database is at: what a process asks before it works with it.
public enum SchemaVersion {
    /// The last migration that this release brings, and needs.
    public static let required: Int32 = 12

    private static let statement = Statement(
        "schema_version", "SELECT max(version) FROM schema_migration", isIdempotent: true)

    /// The version of the latest migration; nil if there is none, or no table of them.
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

    /// Why a process that needs `expected` cannot work with a database whose schema is at `current`; nil when it can.
    ///
    /// A newer schema is as good: migrations only add to what a release uses, since the schema is migrated before the
    /// programs are replaced, and the old ones go on until then, are started anew and scaled.
    public static func obstacle(current: Int32?, expected: Int32 = required) -> String? {
        switch current {
        case nil: "the database has no schema yet; run: jobqueue-api migrate up"
        case .some(let version) where version < expected:
            "the database is at migration \(version), and this release needs \(expected); run: jobqueue-api migrate up"
        default: nil
        }
    }

    /// Worth a warning: that the database is ahead of this release; nil when it is not.
    public static func lead(current: Int32?, expected: Int32 = required) -> String? {
        guard let current, current > expected else { return nil }
        return "the database is at migration \(current), newer than this release, which ends at \(expected)"
    }
}
