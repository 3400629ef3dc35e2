public import Postgres
internal import Values

/// The changes of one pool by a rebalancing.
public struct PoolChange: Hashable, Sendable {
    public let pool: String
    /// The version of the assignment after the rebalancing.
    public let version: Int64
    /// Number of workloads with a new owner.
    public let moved: Int
    /// The ordinals that share the workloads; nil: the pool waits for members.
    public let sharing: [Int32]?
    /// The pool was removed, and its last row is deleted now.
    public let isDeleted: Bool
}

extension PoolStore {
    // MARK: Finding pools to rebalance

    /// Reads a few rows of each pool without locks: this runs several times a second.
    static let scan = Statement<Double>(
        "scan_pools",
        """
        SELECT p.id, \(sql: PoolMembership.columns), clock_timestamp(),
               ARRAY(SELECT m.ordinal FROM pool_member m
                     WHERE m.pool_id = p.id AND m.incarnation IS NOT NULL AND NOT m.leaving
                       AND m.expires_at > clock_timestamp() - make_interval(secs => $1)),
               w.owners, w.counts,
               p.removed_at IS NOT NULL OR EXISTS (
                   SELECT FROM pool_workload r
                   WHERE r.pool_id = p.id AND r.removed
                     AND (r.owner IS NOT NULL OR r.holder IS NULL OR r.expires_at < clock_timestamp()))
        FROM pool p
        CROSS JOIN LATERAL (
            SELECT COALESCE(array_agg(g.owner), '{}') AS owners, COALESCE(array_agg(g.n), '{}') AS counts
            FROM (SELECT COALESCE(owner, -1) AS owner, count(*) AS n FROM pool_workload
                  WHERE pool_id = p.id AND NOT removed GROUP BY 1) g) w
        ORDER BY p.id
        """, isIdempotent: true)

    /// The pools with something to change, and the number of all pools.
    func pending() async throws(PostgresError) -> (ids: [Int32], count: Int) {
        let rows: [ScanRow] = try await database.execute(Self.scan(PoolLimits.successionTime.inSeconds)).decode()
        return (rows.filter(\.isPending).map(\.id), rows.count)
    }

    // MARK: Rebalancing

    /// Locks the pool: one process rebalances it at a time, and another skips it. The commit is synchronous also in a
    /// session without synchronous commits: members act on the assignment, and a version must never mean two
    /// assignments.
    private static let lockPool = Statement<Int32>(
        "lock_pool",
        """
        SELECT \(sql: PoolMembership.columns), clock_timestamp(), p.name, p.version, p.removed_at IS NOT NULL,
               set_config('synchronous_commit', 'on', true)
        FROM pool p WHERE p.id = $1 FOR NO KEY UPDATE SKIP LOCKED
        """, isIdempotent: true)

    private static let alive = Statement<Int32, Double>(
        "list_pool_ordinals",
        """
        SELECT ordinal FROM pool_member
        WHERE pool_id = $1 AND incarnation IS NOT NULL AND NOT leaving
          AND expires_at > clock_timestamp() - make_interval(secs => $2)
        """, isIdempotent: true)

    private static let placements = Statement<Int32>(
        "lock_pool_placements",
        """
        SELECT name, removed, owner, preferred_owner FROM pool_workload WHERE pool_id = $1 ORDER BY name FOR NO KEY UPDATE
        """, isIdempotent: true)

    private static let place = Statement<Int32, Batch<PlacementColumns>>(
        "place_pool_workloads",
        """
        UPDATE pool_workload w SET owner = g.owner
        FROM \(sql: PlacementColumns.columns.unnest(from: 2))
        WHERE w.pool_id = $1 AND w.name = g.name
        """)

    private static let recordPreferredOwners = Statement<Int32>(
        "record_preferred_owners",
        """
        UPDATE pool_workload SET preferred_owner = owner
        WHERE pool_id = $1 AND owner IS NOT NULL AND NOT removed AND preferred_owner IS DISTINCT FROM owner
        """, isIdempotent: true)

    private static let writePool = Statement<Int32, Int64, Int32, Bool, Int32, WallInstant>(
        "write_pool_state",
        """
        UPDATE pool
        SET version = $2, complete_size = $3, waiting_for_members = $4, observed = $5, observed_since = $6
        WHERE id = $1
        """)

    private static let writeMembers = Statement<Int32, Int64, [Int32]>(
        "write_pool_member_versions",
        "UPDATE pool_member SET version = $2 WHERE pool_id = $1 AND ordinal = ANY ($3)")

    /// Deletes removed workloads that no member holds any more.
    private static let sweep = Statement<Int32>(
        "sweep_pool_workloads",
        """
        DELETE FROM pool_workload
        WHERE pool_id = $1 AND removed AND (holder IS NULL OR expires_at < clock_timestamp())
        """, isIdempotent: true)

    private static let sweepPool = Statement<Int32>(
        "sweep_pool",
        """
        DELETE FROM pool p
        WHERE id = $1 AND removed_at IS NOT NULL AND NOT EXISTS (SELECT FROM pool_workload w WHERE w.pool_id = p.id)
        """, isIdempotent: true)

    /// Rebalances all pools that need it, each in its own transaction. Any number of processes may do so concurrently.
    /// - Returns: the changes, and the number of all pools.
    public func rebalance() async throws(PostgresError) -> (changes: [PoolChange], poolCount: Int) {
        let (ids, count) = try await pending()
        var changes: [PoolChange] = []
        for id in ids {
            let change = try await database.transaction { (transaction) async throws(PostgresError) -> PoolChange? in
                guard let change = try await rebalance(id, in: transaction) else { return nil }
                if change.moved > 0 || change.isDeleted { try await notify(change.pool, in: transaction) }
                return change
            }
            if let change { changes.append(change) }
        }
        return (changes, count)
    }

    /// Rebalances one pool.
    /// - Returns: nil if another process has locked the pool, or it is deleted.
    @discardableResult
    func rebalance(_ id: Int32, in transaction: Transaction) async throws(PostgresError) -> PoolChange? {
        let locked: LockedRow? = try await transaction.execute(Self.lockPool(id)).decodeFirst()
        guard let locked else { return nil }
        let version = locked.version
        var membership = locked.membership
        let ordinals = Self.alive(id, PoolLimits.successionTime.inSeconds)
        let alive = Set(try await transaction.execute(ordinals).decode(as: Int32.self))
        let sharing = membership.update(alive: alive, at: locked.now)
        let (changes, touched) = try await changes(id, among: sharing, in: transaction)

        let newVersion = changes.isEmpty ? version : version + 1
        if !changes.isEmpty { try await write(changes, touched, version: newVersion, of: id, in: transaction) }
        if membership.isComplete(alive), !membership.isWaitingForMembers {
            _ = try await transaction.execute(Self.recordPreferredOwners(id))
        }
        if membership != locked.membership || newVersion != version {
            _ = try await transaction.execute(
                Self.writePool(
                    id, newVersion, membership.completeSize, membership.isWaitingForMembers, membership.observed,
                    membership.observedSince))
        }
        _ = try await transaction.execute(Self.sweep(id))
        var isDeleted = false
        if locked.isRemoved { isDeleted = try await transaction.execute(Self.sweepPool(id)).affectedRowCount > 0 }
        return PoolChange(
            pool: locked.name, version: newVersion, moved: changes.count, sharing: sharing, isDeleted: isDeleted)
    }

    /// New owners by workload, nil for a removed workload; and the ordinals whose lists change.
    private func changes(
        _ id: Int32, among sharing: [Int32]?, in transaction: Transaction
    ) async throws(PostgresError) -> ([String: Int32?], Set<Int32>) {
        var workloads: [Placement] = []
        var changes: [String: Int32?] = [:]
        var touched: Set<Int32> = []
        let rows = try await transaction.execute(Self.placements(id))
        for (name, isRemoved, owner, preferred) in try rows.decode((String, Bool, Int32?, Int32?).self) {
            if !isRemoved {
                workloads.append(Placement(name: name, owner: owner, preferredOwner: preferred))
            } else if let owner {
                changes[name] = .some(nil)
                touched.insert(owner)
            }
        }
        guard let sharing else { return (changes, touched) }
        let moves = Rebalance.changes(of: workloads, among: sharing)
        for workload in workloads {
            guard let owner = moves[workload.name] else { continue }
            changes[workload.name] = .some(owner)
            touched.formUnion([workload.owner, owner].compactMap { $0 })
        }
        return (changes, touched)
    }

    private func write(
        _ changes: [String: Int32?], _ touched: Set<Int32>, version: Int64, of id: Int32, in transaction: Transaction
    ) async throws(PostgresError) {
        let sorted = changes.sorted { $0.key < $1.key }
        _ = try await transaction.execute(Self.place(id, Batch(sorted)))
        _ = try await transaction.execute(Self.writeMembers(id, version, touched.sorted()))
    }
}

private enum PlacementColumns: BatchColumns {
    static let columns = ColumnBatch<(key: String, value: Int32?)>([
        .text("name") { $0.key },
        .int4("owner") { $0.value },
    ])
}

/// A pool as `scan` finds it.
private struct ScanRow: RowDecodable {
    let id: Int32
    /// Its members or workloads are not as they should be.
    let isPending: Bool

    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        id = try columns.next()
        let before = try PoolMembership(&columns)
        let now: WallInstant = try columns.next()
        let alive: [Int32] = try columns.next()
        let owners: [Int32] = try columns.next()
        let counts: [Int64] = try columns.next()
        let isToStop: Bool = try columns.next()
        var membership = before
        let sharing = membership.update(alive: Set(alive), at: now)
        let countsByOwner = Dictionary(zip(owners, counts.map { Int($0) }), uniquingKeysWith: { first, _ in first })
        let isDue = sharing.map { Rebalance.isDue(countsByOwner, among: $0) } ?? false
        isPending = isDue || isToStop || membership != before
    }
}

/// A pool whose row is locked.
private struct LockedRow: RowDecodable {
    let membership: PoolMembership
    let now: WallInstant
    let name: String
    let version: Int64
    let isRemoved: Bool

    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        membership = try PoolMembership(&columns)
        now = try columns.next()
        name = try columns.next()
        version = try columns.next()
        isRemoved = try columns.next()
        let _: String = try columns.next()  // the setting
    }
}
