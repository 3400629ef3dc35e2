public import Postgres

extension JobStore {
    /// All of a table with as many rows as running jobs, by block range since the hot sessions have sequential scans
    /// off: an index by worker would cost every job more than the rare look.
    static let leasesOfWorkers = Statement<[Int64], Int32>(
        "list_leases_of_workers",
        """
        SELECT id, token FROM lease WHERE ctid >= '(0,0)' AND worker_id = ANY ($1) LIMIT $2
        """, isIdempotent: true)

    /// The leases that PostgreSQL has of a worker, at most `limit`.
    /// - Parameter workers: the ids of the worker's incarnations.
    public func leases(ofWorkers workers: [Int64], atMost limit: Int32) async throws(PostgresError) -> [HeldLease] {
        try await hot.execute(Self.leasesOfWorkers(workers, limit)).decode()
    }
}
