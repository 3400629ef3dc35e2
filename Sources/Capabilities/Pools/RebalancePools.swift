public import Postgres
internal import Telemetry
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
    static let scan = Statement(
        "scan_pools",
        """
        SELECT p.id, p.size, p.complete_size, p.waiting_for_members, p.observed, p.observed_since, clock_timestamp(),
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
        """, [.float8], isIdempotent: true)

    /// The pools with something to change, and the number of all pools.
    func pending() async throws(PostgresError) -> (ids: [Int32], count: Int) {
        var parameters = Parameters()
        parameters.append(PoolLimits.successionTime.inSeconds)
        let rows = try await database.execute(Self.scan, parameters)
        var ids: [Int32] = []
        for row in rows {
            let before = try PoolMembership(row, size: 1, from: 2)
            var membership = before
            let sharing = membership.update(
                alive: Set(try row.int4Array(7).compactMap { $0 }), at: try row.timestamptz(6))
            let owners = try row.int4Array(8).compactMap { $0 }
            let counts = Dictionary(
                zip(owners, try row.int8Array(9).map { Int($0 ?? 0) }), uniquingKeysWith: { first, _ in first })
            let isDue = sharing.map { Rebalance.isDue(counts, among: $0) } ?? false
            let isToStop = try row.bool(10)
            if isDue || isToStop || membership != before { ids.append(try row.int4(0)) }
        }
        return (ids, rows.count)
    }

    // MARK: Rebalancing

    /// Locks the pool: one process rebalances it at a time, and another skips it. The commit is synchronous also in a
    /// session without synchronous commits: members act on the assignment, and a version must never mean two
    /// assignments.
    private static let lockPool = Statement(
        "lock_pool",
        """
        SELECT p.size, p.complete_size, p.waiting_for_members, p.observed, p.observed_since, clock_timestamp(), p.name, p.version,
               p.removed_at IS NOT NULL, set_config('synchronous_commit', 'on', true)
        FROM pool p WHERE p.id = $1 FOR NO KEY UPDATE SKIP LOCKED
        """, [.int4], isIdempotent: true)

    private static let alive = Statement(
        "list_pool_ordinals",
        """
        SELECT ordinal FROM pool_member
        WHERE pool_id = $1 AND incarnation IS NOT NULL AND NOT leaving
          AND expires_at > clock_timestamp() - make_interval(secs => $2)
        """, [.int4, .float8], isIdempotent: true)

    private static let placements = Statement(
        "lock_pool_placements",
        """
        SELECT name, removed, owner, preferred_owner FROM pool_workload WHERE pool_id = $1 ORDER BY name FOR NO KEY UPDATE
        """, [.int4], isIdempotent: true)

    private static let place = Statement(
        "place_pool_workloads",
        """
        UPDATE pool_workload w SET owner = g.owner
        FROM unnest($2::text[], $3::int[]) AS g (name, owner)
        WHERE w.pool_id = $1 AND w.name = g.name
        """, [.int4, .textArray, .int4Array])

    private static let recordPreferredOwners = Statement(
        "record_preferred_owners",
        """
        UPDATE pool_workload SET preferred_owner = owner
        WHERE pool_id = $1 AND owner IS NOT NULL AND NOT removed AND preferred_owner IS DISTINCT FROM owner
        """, [.int4], isIdempotent: true)

    private static let writePool = Statement(
        "write_pool_state",
        """
        UPDATE pool SET version = $2, complete_size = $3, waiting_for_members = $4, observed = $5, observed_since = $6 WHERE id = $1
        """, [.int4, .int8, .int4, .bool, .int4, .timestamptz])

    private static let writeMembers = Statement(
        "write_pool_member_versions",
        "UPDATE pool_member SET version = $2 WHERE pool_id = $1 AND ordinal = ANY ($3)", [.int4, .int8, .int4Array])

    /// Deletes removed workloads that no member holds any more.
    private static let sweep = Statement(
        "sweep_pool_workloads",
        """
        DELETE FROM pool_workload
        WHERE pool_id = $1 AND removed AND (holder IS NULL OR expires_at < clock_timestamp())
        """, [.int4], isIdempotent: true)

    private static let sweepPool = Statement(
        "sweep_pool",
        """
        DELETE FROM pool p
        WHERE id = $1 AND removed_at IS NOT NULL AND NOT EXISTS (SELECT FROM pool_workload w WHERE w.pool_id = p.id)
        """, [.int4], isIdempotent: true)

    /// Rebalances all pools that need it, each in its own transaction. Any number of processes may do so concurrently.
    /// - Returns: the changes, and the number of all pools.
    public func rebalance() async throws(PostgresError) -> (changes: [PoolChange], poolCount: Int) {
        let (ids, count) = try await pending()
        var changes: [PoolChange] = []
        for id in ids {
            let change = try await transaction { (transaction) throws(PostgresError) -> PoolChange? in
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
        var own = Parameters()
        own.append(id)
        guard let row = try await transaction.execute(Self.lockPool, own).first else { return nil }
        let before = try PoolMembership(row, size: 0, from: 1)
        let (now, name, version) = (try row.timestamptz(5), try row.text(6), try row.int8(7))
        var membership = before
        let alive = try await ordinals(id, in: transaction)
        let sharing = membership.update(alive: alive, at: now)
        let (changes, touched) = try await changes(id, among: sharing, in: transaction)

        let newVersion = changes.isEmpty ? version : version + 1
        if !changes.isEmpty { try await write(changes, touched, version: newVersion, of: id, in: transaction) }
        if membership.isComplete(alive), !membership.isWaitingForMembers {
            _ = try await transaction.execute(Self.recordPreferredOwners, own)
        }
        if membership != before || newVersion != version {
            var parameters = own
            parameters.append(newVersion)
            parameters.append(membership.completeSize)
            parameters.append(membership.isWaitingForMembers)
            parameters.append(membership.observed)
            parameters.append(membership.observedSince)
            _ = try await transaction.execute(Self.writePool, parameters)
        }
        _ = try await transaction.execute(Self.sweep, own)
        var isDeleted = false
        if try row.bool(8) { isDeleted = try await transaction.execute(Self.sweepPool, own).affectedRowCount > 0 }
        return PoolChange(pool: name, version: newVersion, moved: changes.count, sharing: sharing, isDeleted: isDeleted)
    }

    private func ordinals(_ id: Int32, in transaction: Transaction) async throws(PostgresError) -> Set<Int32> {
        var parameters = Parameters()
        parameters.append(id)
        parameters.append(PoolLimits.successionTime.inSeconds)
        var ordinals: Set<Int32> = []
        for row in try await transaction.execute(Self.alive, parameters) { ordinals.insert(try row.int4(0)) }
        return ordinals
    }

    /// New owners by workload, nil for a removed workload; and the ordinals whose lists change.
    private func changes(
        _ id: Int32, among sharing: [Int32]?, in transaction: Transaction
    ) async throws(PostgresError) -> ([String: Int32?], Set<Int32>) {
        var parameters = Parameters()
        parameters.append(id)
        var workloads: [Placement] = []
        var changes: [String: Int32?] = [:]
        var touched: Set<Int32> = []
        for row in try await transaction.execute(Self.placements, parameters) {
            let placement = Placement(
                name: try row.text(0), owner: try row.optionalInt4(2), preferredOwner: try row.optionalInt4(3))
            if try !row.bool(1) {
                workloads.append(placement)
            } else if let owner = placement.owner {
                changes[placement.name] = .some(nil)
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
        var placed = Parameters()
        placed.append(id)
        placed.append(sorted.map(\.key))
        placed.appendArray(of: .int4) { for change in sorted { $0.append(change.value) } }
        _ = try await transaction.execute(Self.place, placed)
        var members = Parameters()
        members.append(id)
        members.append(version)
        members.append(touched.sorted())
        _ = try await transaction.execute(Self.writeMembers, members)
    }
}
