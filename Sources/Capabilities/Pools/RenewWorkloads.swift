public import Postgres

/// The result of a renewal: the state of the pool as far as it concerns one member.
public struct MembershipRenewal: Sendable {
    /// A workload that is assigned to this member, or that this incarnation holds.
    public struct Entry: Hashable, Sendable {
        public let name: String
        /// Whether it is assigned to this member, and not removed.
        public let isOwn: Bool
        /// The token of the lease, if this incarnation holds it.
        public let heldToken: Int64?
        /// The remaining time of another holder's lease, without a renewal; nil: no other incarnation holds it.
        public let othersRemaining: Duration?

        public init(name: String, isOwn: Bool, heldToken: Int64? = nil, othersRemaining: Duration? = nil) {
            self.name = name
            self.isOwn = isOwn
            self.heldToken = heldToken
            self.othersRemaining = othersRemaining
        }
    }

    /// False: another incarnation has the ordinal, or the pool is removed.
    public var isMember: Bool
    /// The name of the handler whose program runs the workloads.
    public var handler: String
    /// The version of the assignment.
    public var version: Int64
    /// Sorted by name.
    public var entries: [Entry]
    /// The renewed leases. The others of the request are lost, unless they are `locked`.
    public var renewed: [WorkloadLease]
    /// The leases that are still held, and were not renewed because another transaction has locked their rows.
    public var locked: [WorkloadLease]

    public init(
        isMember: Bool, handler: String, version: Int64, entries: [Entry], renewed: [WorkloadLease],
        locked: [WorkloadLease] = []
    ) {
        self.isMember = isMember
        self.handler = handler
        self.version = version
        self.entries = entries
        self.renewed = renewed
        self.locked = locked
    }
}

extension PoolStore {
    /// Rows are locked in the order of the names, and before the member's own row, as everywhere: no deadlocks.
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

    /// The same without the workloads that other transactions have locked: one of them must not cost the other leases.
    /// Executed after `renewWorkloads` has met a lock, because it also skips rows that are locked for an instant.
    static let renewUnlockedWorkloads = Statement<Int32, Batch<WorkloadLeaseColumns>, Double>(
        "renew_unlocked_workloads",
        """
        WITH unlocked AS MATERIALIZED (
            SELECT w.name
            FROM \(sql: WorkloadLeaseColumns.columns.unnest(from: 2))
            CROSS JOIN LATERAL (
                SELECT name FROM pool_workload w
                WHERE w.pool_id = $1 AND w.name = g.name AND w.token = g.token AND w.holder IS NOT NULL
                FOR NO KEY UPDATE SKIP LOCKED) w)
        UPDATE pool_workload w SET expires_at = clock_timestamp() + make_interval(secs => $4)
        FROM unlocked u
        WHERE w.pool_id = $1 AND w.name = u.name
        RETURNING w.name, w.token
        """, isIdempotent: true)

    static let renewMember = Statement<Membership, Double, Double>(
        "renew_pool_member",
        """
        UPDATE pool_member
        SET expires_at = clock_timestamp() + make_interval(secs => $4),
            renew_by = clock_timestamp() + make_interval(secs => $5)
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

    /// Renews a membership and its leases by PostgreSQL's clock, and reads the assignment, in one round trip. A lease
    /// is renewed if its token is still the workload's current one, also after its expiry: then no other member has
    /// acquired the workload.
    /// - Parameters:
    ///   - nextSeconds: without another renewal for that long the member is unresponsive; nil: as `leaseSeconds`.
    ///   - timeout: of the response; a dead connection must not use up the whole lease.
    public func renew(
        _ membership: Membership, _ leases: [WorkloadLease], leaseSeconds: Double, nextSeconds: Double? = nil,
        timeout: Duration? = nil
    ) async throws(PostgresError) -> MembershipRenewal {
        let batch = WorkloadLeaseColumns.batch(leases)
        let rest = [
            Self.renewMember(membership, leaseSeconds, nextSeconds ?? leaseSeconds), Self.view(membership),
        ]
        let rows: [Rows]
        do throws(PostgresError) {
            let renewal = Self.renewWorkloads(membership.poolID, batch, leaseSeconds)
            rows = try await database.executeGroup([renewal] + rest, timeout: timeout, lockWait: .once)
        } catch {
            guard error.sqlState == .lockNotAvailable else { throw error }
            let renewal = Self.renewUnlockedWorkloads(membership.poolID, batch, leaseSeconds)
            rows = try await database.executeGroup([renewal] + rest, timeout: timeout)
        }
        var view = MembershipRenewal(
            isMember: !rows[1].isEmpty && !rows[2].isEmpty, handler: "", version: 0, entries: [],
            renewed: try rows[0].decode())
        let renewed = Set(view.renewed)
        for row in try rows[2].decode(as: RenewalRow.self) {
            view.handler = row.handler
            view.version = row.version
            if let entry = row.entry { view.entries.append(entry) }
        }
        view.entries.sort { $0.name < $1.name }
        let held = Set(
            view.entries.compactMap { entry in
                entry.heldToken.map { WorkloadLease(name: entry.name, token: $0) }
            })
        view.locked = leases.filter { held.contains($0) && !renewed.contains($0) }
        return view
    }
}

private struct RenewalRow: RowDecodable {
    let handler: String
    let version: Int64
    /// nil: the member has no workload.
    let entry: MembershipRenewal.Entry?

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
        entry = MembershipRenewal.Entry(
            name: name, isOwn: isOwn, heldToken: heldToken, othersRemaining: othersRemaining.map { .seconds($0) })
    }
}
