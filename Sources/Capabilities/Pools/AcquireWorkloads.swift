public import Postgres

/// The lease of a workload: its name and the token, which increases with each lease.
public struct WorkloadLease: Hashable, Sendable {
    public let name: String
    public let token: Int64

    public init(name: String, token: Int64) {
        self.name = name
        self.token = token
    }
}

extension PoolStore {
    /// The only statement that gives a workload a holder. PostgreSQL locks the row and then checks the conditions
    /// again, so of two concurrent members only one finds it free. A workload that this incarnation already holds gets
    /// a new token: the response to an earlier acquisition was lost, and nothing runs under that lease. A workload that
    /// another transaction has locked is left to a later acquisition.
    static let acquire = Statement<Membership, [String], Double>(
        "acquire_workloads",
        """
        WITH given AS MATERIALIZED (
            SELECT w.name
            FROM (SELECT name FROM unnest($4::text[]) AS g (name) ORDER BY name COLLATE "C") g
            CROSS JOIN LATERAL (
                SELECT name FROM pool_workload WHERE pool_id = $1 AND name = g.name FOR NO KEY UPDATE SKIP LOCKED) w)
        UPDATE pool_workload w
        SET token = next_token('pool_token'), holder = $3, holder_ordinal = $2, acquired_at = clock_timestamp(),
            expires_at = clock_timestamp() + make_interval(secs => $5), state = 'starting', started_at = NULL,
            restarts = 0
        FROM given g
        WHERE w.pool_id = $1 AND w.name = g.name AND w.owner = $2 AND NOT w.removed
          AND (w.holder IS NULL OR w.holder = $3 OR w.expires_at < clock_timestamp())
          AND EXISTS (SELECT FROM pool_member m
                      WHERE m.pool_id = $1 AND m.ordinal = $2 AND m.incarnation = $3 AND NOT m.leaving
                        AND m.expires_at > clock_timestamp())
        RETURNING w.name, w.token
        """)

    /// Leases the workloads that are assigned to this member and free.
    /// - Returns: the leases; workloads that are not free, or have another owner, are left out.
    public func acquire(
        _ names: [String], as membership: Membership, leaseSeconds: Double
    ) async throws(PostgresError) -> [WorkloadLease] {
        try await database.execute(Self.acquire(membership, names, leaseSeconds)).decode()
    }
}

extension WorkloadLease: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        name = try columns.next()
        token = try columns.next()
    }
}

/// Leases as a batch. In the order of their names, so that two statements on several workloads never wait for each
/// other in a circle.
enum WorkloadLeaseColumns: BatchColumns {
    static let columns = ColumnBatch<WorkloadLease>([
        .text("name") { $0.name },
        .int8("token") { $0.token },
    ])

    static func batch(_ leases: [WorkloadLease]) -> Batch<WorkloadLeaseColumns> {
        Batch(leases.sorted { $0.name < $1.name })
    }
}
