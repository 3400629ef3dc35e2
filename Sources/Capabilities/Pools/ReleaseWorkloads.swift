public import Postgres

extension PoolStore {
    /// The token stays in the row, so that the next lease has a higher one. A removed workload is deleted by the next
    /// rebalancing.
    static let release = Statement<Int32, Batch<WorkloadLeaseColumns>>(
        "release_workloads",
        """
        WITH given AS MATERIALIZED (
            SELECT name, token FROM \(sql: WorkloadLeaseColumns.columns.unnest(from: 2)) ORDER BY name COLLATE "C"),
        freed AS MATERIALIZED (
            UPDATE pool_workload w
            SET holder = NULL, holder_ordinal = NULL, acquired_at = NULL, expires_at = NULL, state = NULL,
                started_at = NULL
            FROM given g
            WHERE w.pool_id = $1 AND w.name = g.name AND w.token = g.token AND w.holder IS NOT NULL
            RETURNING w.name)
        SELECT f.n, CASE WHEN f.n > 0 THEN
                        (SELECT pg_notify(current_schema() || '_pool', p.name)::text FROM pool p WHERE p.id = $1) END
        FROM (SELECT count(*) AS n FROM freed) f
        """, isIdempotent: true)

    /// Releases leases. The caller confirms that no process runs under them: the owners may start the workloads.
    /// - Returns: the number of leases that were still held.
    @discardableResult
    public func release(_ leases: [WorkloadLease], ofPool id: Int32) async throws(PostgresError) -> Int {
        let rows = try await database.execute(Self.release(id, WorkloadLeaseColumns.batch(leases)))
        return Int(try rows.decodeOnly((Int64, String?).self).0)
    }
}
