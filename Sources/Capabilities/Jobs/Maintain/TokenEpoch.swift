public import Postgres

enum TokenEpoch {
    /// `next_token('lease_token')` for a statement that runs often: the function takes ten times as long.
    static let nextToken: SQLFragment = """
        (COALESCE((SELECT epoch FROM token_epoch WHERE timeline = wal_timeline()), begin_token_epoch())::bigint << 40)
            + nextval('lease_token')
        """
}

extension JobStore {
    private static let beginEpoch = Statement("begin_token_epoch", "SELECT begin_token_epoch()", isIdempotent: true)

    /// Begins a new epoch of lease tokens if the database has been promoted, restored or copied (`0002_jobs.sql`).
    /// - Returns: the current epoch.
    public func beginTokenEpoch() async throws(PostgresError) -> Int32 {
        try await general.execute(Self.beginEpoch()).decodeOnly()
    }
}
