public import Postgres

extension PoolStore {
    /// A removed pool that is configured again before its rows are deleted is a new pool: it waits for its members. Its
    /// workloads keep their leases, so that none starts before its old process has ended.
    private static let write = Statement<String, Int32?, String, String?, String?, Int64>(
        "write_pool",
        """
        INSERT INTO pool AS p (name, size, handler, observed_since, created_at, updated_at, updated_by, reason)
        SELECT $1, $2, $3, m.at, m.at, m.at, $4, $5 FROM (SELECT clock_timestamp() AS at OFFSET 0) m
        WHERE EXISTS (SELECT FROM pool WHERE name = $1 AND removed_at IS NULL)
           OR (SELECT count(*) FROM pool WHERE removed_at IS NULL) < $6
        ON CONFLICT (name) DO UPDATE
        SET size = EXCLUDED.size, handler = EXCLUDED.handler, updated_at = EXCLUDED.updated_at,
            updated_by = EXCLUDED.updated_by, reason = EXCLUDED.reason,
            observed = CASE WHEN p.size IS NOT DISTINCT FROM EXCLUDED.size THEN p.observed ELSE 0 END,
            complete_size = CASE WHEN p.removed_at IS NULL THEN p.complete_size ELSE 0 END,
            waiting_for_members = p.waiting_for_members OR p.removed_at IS NOT NULL,
            created_at = CASE WHEN p.removed_at IS NULL THEN p.created_at ELSE EXCLUDED.created_at END,
            removed_at = NULL
        RETURNING id
        """, isIdempotent: true)

    private static let lock = Statement<Int32>(
        "lock_pool_workloads",
        "SELECT name FROM pool_workload WHERE pool_id = $1 ORDER BY name FOR NO KEY UPDATE", isIdempotent: true)

    private static let add = Statement<Int32, [String]>(
        "add_pool_workloads",
        """
        INSERT INTO pool_workload AS w (pool_id, name)
        SELECT $1, g.name FROM unnest($2::text[]) AS g (name) ORDER BY g.name COLLATE "C"
        ON CONFLICT (pool_id, name) DO UPDATE SET removed = false WHERE w.removed
        """, isIdempotent: true)

    private static let drop = Statement<Int32, [String]>(
        "drop_pool_workloads",
        "UPDATE pool_workload SET removed = true WHERE pool_id = $1 AND NOT removed AND name <> ALL ($2)",
        isIdempotent: true)

    /// Creates a pool, or replaces its settings. In the same transaction new workloads are assigned, if the pool has
    /// its members, and workloads that are no longer listed lose their owner.
    /// - Returns: false if the pool does not exist, and there are `poolsMax` pools.
    @discardableResult
    public func configure(
        _ spec: PoolSpec, updatedBy: String? = nil, reason: String? = nil, poolsMax: Int = PoolLimits.poolsMax
    ) async throws(PostgresError) -> Bool {
        try await database.transaction { (transaction) async throws(PostgresError) in
            let written = Self.write(spec.name, spec.size, spec.handler, updatedBy, reason, Int64(poolsMax))
            guard let id: Int32 = try await transaction.execute(written).decodeFirst() else { return false }
            _ = try await transaction.execute(Self.lock(id))
            _ = try await transaction.execute(Self.add(id, spec.workloads))
            _ = try await transaction.execute(Self.drop(id, spec.workloads))
            try await rebalance(id, in: transaction)
            try await notify(spec.name, in: transaction)
            return true
        }
    }

    private static let remove = Statement<String>(
        "remove_pool",
        """
        UPDATE pool SET removed_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE name = $1 AND removed_at IS NULL RETURNING id
        """)

    private static let dropAll = Statement<Int32>(
        "drop_all_pool_workloads",
        "UPDATE pool_workload SET removed = true WHERE pool_id = $1 AND NOT removed", isIdempotent: true)

    /// Removes a pool: its workloads stop, and it is no longer shown. Its rows are deleted when the last workload has
    /// stopped.
    /// - Returns: false if there is no such pool.
    public func remove(_ name: String) async throws(PostgresError) -> Bool {
        try await database.transaction { (transaction) async throws(PostgresError) in
            let removed: Int32? = try await transaction.execute(Self.remove(name)).decodeFirst()
            guard let id = removed else { return false }
            _ = try await transaction.execute(Self.lock(id))
            _ = try await transaction.execute(Self.dropAll(id))
            try await rebalance(id, in: transaction)
            try await notify(name, in: transaction)
            return true
        }
    }

    /// Notifies members of a change of this pool.
    func notify(_ name: String, in transaction: Transaction) async throws(PostgresError) {
        _ = try await transaction.execute(Self.notify(name))
    }
}
