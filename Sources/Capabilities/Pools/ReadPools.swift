public import Postgres

extension PoolStore {
    private static let pools = Statement(
        "read_pools",
        """
        SELECT p.id, p.name, p.size, p.handler, p.version, p.complete_size, p.waiting_for_members, p.observed, p.observed_since,
               p.created_at, p.updated_at, p.updated_by, p.reason,
               ARRAY(SELECT w.name FROM pool_workload w WHERE w.pool_id = p.id AND NOT w.removed ORDER BY w.name)
        FROM pool p
        WHERE p.removed_at IS NULL AND ($1::text IS NULL OR p.name = $1)
        ORDER BY p.name
        """, [.text], isIdempotent: true)

    private static let members = Statement(
        "read_pool_members",
        """
        SELECT m.pool_id, m.ordinal, m.name, m.host, m.incarnation, m.joined_at, m.expires_at, m.leaving
        FROM pool p
        JOIN pool_member m ON m.pool_id = p.id
        WHERE p.removed_at IS NULL AND ($1::text IS NULL OR p.name = $1)
          AND m.incarnation IS NOT NULL AND m.expires_at > clock_timestamp()
        ORDER BY m.pool_id, m.ordinal
        """, [.text], isIdempotent: true)

    /// All pools, sorted by name.
    public func all() async throws(PostgresError) -> [Pool] {
        try await read(nil)
    }

    /// The pool with this name; nil: it does not exist.
    public func find(_ name: String) async throws(PostgresError) -> Pool? {
        try await read(name).first
    }

    private func read(_ name: String?) async throws(PostgresError) -> [Pool] {
        var parameters = Parameters()
        parameters.append(text: name)
        let rows = try await database.executeGroup([(Self.pools, parameters), (Self.members, parameters)])
        var members: [Int32: [PoolMember]] = [:]
        for row in rows[1] { members[try row.int4(0), default: []].append(try PoolMember(row)) }
        var pools: [Pool] = []
        for row in rows[0] {
            var pool = try Pool(row)
            pool.members = members[try row.int4(0)] ?? []
            pools.append(pool)
        }
        return pools
    }

    /// The state of a workload `w` (`Workload.State`). The report of a holder applies while its lease lasts.
    private static let state: SQLFragment = """
        CASE WHEN w.owner IS NULL THEN 'unassigned'
             WHEN w.holder IS NULL OR w.expires_at <= clock_timestamp() THEN 'waiting'
             WHEN w.holder_ordinal <> w.owner THEN 'moving'
             ELSE w.state END
        """

    private static let workloads = Statement(
        "read_pool_workloads",
        """
        SELECT w.name, \(sql: state), w.owner, m.name,
               CASE WHEN w.expires_at > clock_timestamp() THEN w.holder_ordinal END, w.token,
               w.acquired_at, CASE WHEN w.holder IS NOT NULL THEN w.expires_at END, w.started_at, w.restarts,
               w.last_error, w.last_error_at
        FROM pool p
        JOIN pool_workload w ON w.pool_id = p.id
        LEFT JOIN pool_member m ON m.pool_id = p.id AND m.ordinal = w.owner
        WHERE p.name = $1 AND p.removed_at IS NULL AND NOT w.removed
        ORDER BY w.name
        """, [.text], isIdempotent: true)

    /// The workloads of a pool, sorted by name; empty if the pool does not exist.
    public func workloads(of name: String) async throws(PostgresError) -> [Workload] {
        var parameters = Parameters()
        parameters.append(text: name)
        var workloads: [Workload] = []
        for row in try await database.execute(Self.workloads, parameters) { workloads.append(try Workload(row)) }
        return workloads
    }

    private static let counts = Statement(
        "count_pool_workloads",
        """
        SELECT p.name, \(sql: state), count(*)
        FROM pool p
        JOIN pool_workload w ON w.pool_id = p.id
        WHERE p.removed_at IS NULL AND NOT w.removed
        GROUP BY 1, 2
        """, isIdempotent: true)

    /// The number of workloads by pool and state, counted from the rows: at most 1,000 for each pool.
    public func workloadCounts() async throws(PostgresError) -> [(pool: String, state: Workload.State, count: Int64)] {
        var counts: [(pool: String, state: Workload.State, count: Int64)] = []
        for row in try await database.execute(Self.counts) {
            counts.append((try row.text(0), try Workload.State(row, 1), try row.int8(2)))
        }
        return counts
    }

    private static let lists = Statement(
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
        """, [.text], isIdempotent: true)

    /// The workloads of each member of a pool, in the order of the ordinals: of the live members, and of those to which
    /// workloads are assigned.
    public func lists(of name: String) async throws(PostgresError) -> [MemberList] {
        var parameters = Parameters()
        parameters.append(text: name)
        var lists: [MemberList] = []
        for row in try await database.execute(Self.lists, parameters) {
            lists.append(
                MemberList(
                    member: try row.text(0), version: try row.int8(1),
                    workloads: try row.textArray(2).compactMap { $0 }))
        }
        return lists
    }
}

extension Pool {
    fileprivate init(_ row: Row) throws(PostgresError) {
        spec = PoolSpec(
            name: try row.text(1), size: try row.optionalInt4(2), workloads: try row.textArray(13).compactMap { $0 },
            handler: try row.text(3))
        version = try row.int8(4)
        membership = try PoolMembership(row, size: 2, from: 5)
        createdAt = try row.timestamptz(9)
        updatedAt = try row.timestamptz(10)
        updatedBy = try row.optionalText(11)
        reason = try row.optionalText(12)
    }
}

extension PoolMembership {
    /// The size stands in column `size`; `complete size`, `waiting for members`, `observed` and `observed_since` from
    /// `first` on.
    init(_ row: Row, size: Int, from first: Int) throws(PostgresError) {
        self.init(size: try row.optionalInt4(size), since: try row.timestamptz(first + 3))
        completeSize = try row.int4(first)
        isWaitingForMembers = try row.bool(first + 1)
        observed = try row.int4(first + 2)
    }
}

extension PoolMember {
    fileprivate init(_ row: Row) throws(PostgresError) {
        ordinal = try row.int4(1)
        name = try row.text(2)
        host = try row.text(3)
        incarnation = try row.uuid(4)
        joinedAt = try row.timestamptz(5)
        expiresAt = try row.timestamptz(6)
        isLeaving = try row.bool(7)
    }
}

extension Workload.State {
    fileprivate init(_ row: Row, _ column: Int) throws(PostgresError) {
        let text = try row.text(column)
        guard let state = Self(rawValue: text) else {
            throw .unexpectedValue(column: column, reason: "a workload is said to be \(text)")
        }
        self = state
    }
}

extension Workload {
    fileprivate init(_ row: Row) throws(PostgresError) {
        name = try row.text(0)
        state = try State(row, 1)
        owner = try row.optionalInt4(2)
        member = try row.optionalText(3)
        holder = try row.optionalInt4(4)
        token = try row.int8(5)
        acquiredAt = try row.optionalTimestamptz(6)
        expiresAt = try row.optionalTimestamptz(7)
        startedAt = try row.optionalTimestamptz(8)
        restarts = try row.int4(9)
        lastError = try row.optionalText(10)
        lastErrorAt = try row.optionalTimestamptz(11)
    }
}
