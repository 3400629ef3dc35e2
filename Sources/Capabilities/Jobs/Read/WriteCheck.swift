public import Postgres

/// Whether jobs could be created and changed now.
public enum WriteCheck {
    private static let statement = Statement("accepts_writes", "SELECT accepts_writes()", isIdempotent: true)

    /// False on a standby, and in a database that is read-only.
    public static func passes(on pool: ConnectionPool, timeout: Duration) async throws(PostgresError) -> Bool {
        try await pool.execute(statement(), timeout: timeout).decodeOnly()
    }
}
