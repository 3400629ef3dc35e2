public import Postgres

extension JobStore {
    private static let pruneIdempotencyKeys = Statement(
        "prune_idempotency_keys",
        """
        DELETE FROM idempotency_key WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM idempotency_key
            WHERE created_at <= clock_timestamp() - interval '24 hours'
            ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED))
        """, [.int4], isIdempotent: true)

    /// Forgets at most `limit` idempotency keys that are older than 24 hours, and so worth nothing any more.
    /// - Returns: how many there were.
    public func pruneIdempotencyKeys(atMost limit: Int32) async throws(PostgresError) -> Int {
        var parameters = Parameters()
        parameters.append(limit)
        return try await hot.execute(Self.pruneIdempotencyKeys, parameters).affectedRowCount
    }
}
