public import Postgres

extension JobStore {
    private static let pruneIdempotencyKeysStatement = Statement<Int32>(
        "prune_idempotency_keys",
        """
        DELETE FROM idempotency_key WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM idempotency_key
            WHERE created_at <= clock_timestamp() - interval '24 hours'
            ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED))
        """, isIdempotent: true)

    /// Deletes at most `limit` idempotency keys that are older than 24 hours, and so have no effect any more.
    /// - Returns: the number of deleted keys.
    public func pruneIdempotencyKeys(atMost limit: Int32) async throws(PostgresError) -> Int {
        try await hot.execute(Self.pruneIdempotencyKeysStatement(limit)).affectedRowCount
    }
}
