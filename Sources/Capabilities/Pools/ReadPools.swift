public import Postgres
internal import Values

extension PoolStore {
    private static let pools = Statement<String?>(
        "read_pools",
        """
        SELECT p.id, p.name, p.handler, \(sql: PoolMembership.columns), p.version, p.created_at, p.updated_at,
               p.updated_by, p.reason,
               ARRAY(SELECT w.name FROM pool_workload w WHERE w.pool_id = p.id AND NOT w.removed ORDER BY w.name)
        FROM pool p
        WHERE p.removed_at IS NULL AND ($1::text IS NULL OR p.name = $1)
        ORDER BY p.name
        """, isIdempotent: true)

    private static let members = Statement<String?>(
        "read_pool_members",
        """
        SELECT m.pool_id, m.ordinal, m.name, m.host, m.incarnation, m.joined_at, m.expires_at, m.leaving,
               COALESCE(m.renew_by < clock_timestamp(), false)
        FROM pool p
        JOIN pool_member m ON m.pool_id = p.id
        WHERE p.removed_at IS NULL AND ($1::text IS NULL OR p.name = $1)
          AND m.incarnation IS NOT NULL AND m.expires_at > clock_timestamp()
        ORDER BY m.pool_id, m.ordinal
        """, isIdempotent: true)

    /// All pools, sorted by name.
    public func all() async throws(PostgresError) -> [Pool] {
        try await read(nil)
    }

    /// The pool with this name; nil: it does not exist.
    public func find(_ name: String) async throws(PostgresError) -> Pool? {
        try await read(name).first
    }

    private func read(_ name: String?) async throws(PostgresError) -> [Pool] {
        let rows = try await database.executeGroup([Self.pools(name), Self.members(name)])
        let members = Dictionary(grouping: try rows[1].decode((Int32, PoolMember).self)) { $0.0 }
        var pools: [Pool] = []
        for (id, pool) in try rows[0].decode((Int32, Pool).self) {
            pools.append(pool)
            pools[pools.count - 1].members = members[id]?.map { $0.1 } ?? []
        }
        return pools
    }

    /// The state of a workload `w` (`Workload.State`) with the member `h` (`holder`). The report of a holder applies
    /// while its lease lasts, and it renews.
    private static let state: SQLFragment = """
        CASE WHEN w.owner IS NULL THEN 'unassigned'
             WHEN w.holder IS NULL OR w.expires_at <= clock_timestamp() THEN 'waiting'
             WHEN w.holder_ordinal <> w.owner THEN 'moving'
             WHEN h.renew_by < clock_timestamp() THEN 'unresponsive'
             ELSE w.state END
        """

    private static let holder: SQLFragment = """
        LEFT JOIN pool_member h ON h.pool_id = w.pool_id AND h.ordinal = w.holder_ordinal AND h.incarnation = w.holder
        """

    private static let workloads = Statement<String>(
        "read_pool_workloads",
        """
        SELECT w.name, \(sql: state), w.owner, m.name,
               CASE WHEN w.expires_at > clock_timestamp() THEN w.holder_ordinal END, w.token,
               w.acquired_at, CASE WHEN w.holder IS NOT NULL THEN w.expires_at END, w.started_at, w.restarts,
               w.last_error, w.last_error_at
        FROM pool p
        JOIN pool_workload w ON w.pool_id = p.id
        LEFT JOIN pool_member m ON m.pool_id = p.id AND m.ordinal = w.owner
        \(sql: holder)
        WHERE p.name = $1 AND p.removed_at IS NULL AND NOT w.removed
        ORDER BY w.name
        """, isIdempotent: true)

    /// The workloads of a pool, sorted by name; empty if the pool does not exist.
    public func workloads(of name: String) async throws(PostgresError) -> [Workload] {
        try await database.execute(Self.workloads(name)).decode()
    }

    private static let counts = Statement(
        "count_pool_workloads",
        """
        SELECT p.name, \(sql: state), count(*)
        FROM pool p
        JOIN pool_workload w ON w.pool_id = p.id
        \(sql: holder)
        WHERE p.removed_at IS NULL AND NOT w.removed
        GROUP BY 1, 2
        """, isIdempotent: true)

    /// The number of workloads by pool and state, counted from the rows: at most 1,000 for each pool.
    public func workloadCounts() async throws(PostgresError) -> [(pool: String, state: Workload.State, count: Int64)] {
        try await database.execute(Self.counts()).decode((String, Workload.State, Int64).self)
            .map { (pool: $0.0, state: $0.1, count: $0.2) }
    }

    private static let lists = Statement<String>(
        "read_pool_lists",
        """
        SELECT m.name, m.version,
               ARRAY(SELECT w.name FROM pool_workload w
                     WHERE w.pool_id = p.id AND w.owner = m.ordinal AND NOT w.removed ORDER BY w.name)
        FROM pool p
        JOIN pool_member m ON m.pool_id = p.id
        WHERE p.name = $1 AND p.removed_at IS NULL
          AND (m.incarnation IS NOT NULL AND m.expires_at > clock_timestamp()
               OR EXISTS (SELECT FROM pool_workload w
                          WHERE w.pool_id = p.id AND w.owner = m.ordinal AND NOT w.removed))
        ORDER BY m.ordinal
        """, isIdempotent: true)

    /// The workloads of each member of a pool, in the order of the ordinals: of the live members, and of those to which
    /// workloads are assigned.
    public func lists(of name: String) async throws(PostgresError) -> [MemberList] {
        try await database.execute(Self.lists(name)).decode()
    }
}

extension Pool: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        let name: String = try columns.next()
        let handler: String = try columns.next()
        membership = try PoolMembership(&columns)
        version = try columns.next()
        createdAt = try columns.next()
        updatedAt = try columns.next()
        updatedBy = try columns.next()
        reason = try columns.next()
        spec = PoolSpec(name: name, size: membership.size, workloads: try columns.next(), handler: handler)
    }
}

extension PoolMembership: RowDecodable {
    /// Of the row `p` of `pool`.
    static let columns: SQLFragment = "p.size, p.complete_size, p.waiting_for_members, p.observed, p.observed_since"

    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        size = try columns.next()
        completeSize = try columns.next()
        isWaitingForMembers = try columns.next()
        observed = try columns.next()
        observedSince = try columns.next()
    }
}

extension PoolMember: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        ordinal = try columns.next()
        name = try columns.next()
        host = try columns.next()
        incarnation = try columns.next()
        joinedAt = try columns.next()
        expiresAt = try columns.next()
        isLeaving = try columns.next()
        isUnresponsive = try columns.next()
    }
}

extension MemberList: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        member = try columns.next()
        version = try columns.next()
        workloads = try columns.next()
    }
}

extension Workload.State: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        self = try columns.next(parsing: Self.init(rawValue:))
    }
}

extension Workload: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        name = try columns.next()
        state = try State(&columns)
        owner = try columns.next()
        member = try columns.next()
        holder = try columns.next()
        token = try columns.next()
        acquiredAt = try columns.next()
        expiresAt = try columns.next()
        startedAt = try columns.next()
        restarts = try columns.next()
        lastError = try columns.next()
        lastErrorAt = try columns.next()
    }
}
