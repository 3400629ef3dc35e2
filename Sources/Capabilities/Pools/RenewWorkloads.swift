public import Postgres

/// What a renewal tells a member.
public struct PoolView: Sendable {
    /// A workload that is this member's, or that it holds.
    public struct Entry: Hashable, Sendable {
        public let name: String
        /// It is assigned to this member, and is to run.
        public let isOwn: Bool
        /// Its lease is this incarnation's: the token.
        public let heldToken: Int64?
        /// How long somebody else holds it still, unless he renews his lease.
        public let othersRemaining: Duration?

        public init(name: String, isOwn: Bool, heldToken: Int64? = nil, othersRemaining: Duration? = nil) {
            self.name = name
            self.isOwn = isOwn
            self.heldToken = heldToken
            self.othersRemaining = othersRemaining
        }
    }

    /// False: another incarnation has the ordinal, or the pool has gone.
    public var isMember: Bool
    /// By whose handler the workloads run.
    public var handler: String
    /// Of the assignment.
    public var version: Int64
    /// In the order of the names.
    public var entries: [Entry]
    /// Of those that were renewed: which are still held.
    public var renewed: [WorkloadLease]

    public init(
        isMember: Bool, handler: String, version: Int64, entries: [Entry], renewed: [WorkloadLease]
    ) {
        self.isMember = isMember
        self.handler = handler
        self.version = version
        self.entries = entries
        self.renewed = renewed
    }
}

extension PoolStore {
    /// In the order of the names, and before the member's own row: as everywhere, so that nobody waits in a circle.
    static let renewWorkloads = Statement<Int32, Batch<WorkloadLeaseColumns>, Double>(
        "renew_workloads",
        """
        WITH given AS MATERIALIZED (
            SELECT name, token FROM \(sql: WorkloadLeaseColumns.columns.unnest(from: 2)) ORDER BY name COLLATE "C")
        UPDATE pool_workload w SET expires_at = clock_timestamp() + make_interval(secs => $4)
        FROM given g
        WHERE w.pool_id = $1 AND w.name = g.name AND w.token = g.token AND w.holder IS NOT NULL
        RETURNING w.name, w.token
        """, isIdempotent: true)

    static let renewMember = Statement<Membership, Double>(
        "renew_pool_member",
        """
        UPDATE pool_member SET expires_at = clock_timestamp() + make_interval(secs => $4)
        WHERE pool_id = $1 AND ordinal = $2 AND incarnation = $3
        RETURNING leaving
        """, isIdempotent: true)

    static let view = Statement<Membership>(
        "view_pool",
        """
        SELECT p.handler, p.version, e.*
        FROM pool p
        LEFT JOIN LATERAL (
            SELECT w.name, w.owner = $2 AND NOT w.removed, CASE WHEN w.holder = $3 THEN w.token END,
                   CASE WHEN w.holder <> $3 AND w.expires_at > clock_timestamp()
                        THEN extract(epoch FROM w.expires_at - clock_timestamp())::float8 END
            FROM pool_workload w WHERE w.pool_id = p.id AND w.owner = $2
            UNION ALL
            SELECT w.name, false, w.token, NULL
            FROM pool_workload w WHERE w.pool_id = p.id AND w.holder = $3 AND w.owner IS DISTINCT FROM $2) e ON true
        WHERE p.id = $1 AND p.removed_at IS NULL
        """, isIdempotent: true)

    /// Renews a membership and what is held under it, by PostgreSQL's clock, and tells what the member has to do now: all
    /// in one round trip. A lease is renewed if its token is still that of the workload, also if it had expired meanwhile:
    /// then nobody has taken it.
    /// - Parameter timeout: for the answer. A connection that has gone silent must not use up the whole lease.
    public func renew(
        _ membership: Membership, _ leases: [WorkloadLease], leaseSeconds: Double, timeout: Duration? = nil
    ) async throws(PostgresError) -> PoolView {
        let rows = try await database.executeGroup(
            [
                Self.renewWorkloads(membership.poolID, WorkloadLeaseColumns.batch(leases), leaseSeconds),
                Self.renewMember(membership, leaseSeconds), Self.view(membership),
            ],
            timeout: timeout)
        var view = PoolView(
            isMember: !rows[1].isEmpty && !rows[2].isEmpty, handler: "", version: 0, entries: [],
            renewed: try rows[0].decode())
        for row in try rows[2].decode(as: ViewRow.self) {
            view.handler = row.handler
            view.version = row.version
            if let entry = row.entry { view.entries.append(entry) }
        }
        view.entries.sort { $0.name < $1.name }
        return view
    }
}

private struct ViewRow: RowDecodable {
    let handler: String
    let version: Int64
    /// nil: the member has no workload.
    let entry: PoolView.Entry?

    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        handler = try columns.next()
        version = try columns.next()
        let name: String? = try columns.next()
        guard let name else {
            columns.skipRest()
            entry = nil
            return
        }
        let isOwn: Bool = try columns.next()
        let heldToken: Int64? = try columns.next()
        let othersRemaining: Double? = try columns.next()
        entry = PoolView.Entry(
            name: name, isOwn: isOwn, heldToken: heldToken, othersRemaining: othersRemaining.map { .seconds($0) })
    }
}
