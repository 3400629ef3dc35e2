public import Postgres

extension PoolStore {
    /// A removed pool that is configured again before its rows are deleted is a new pool: it waits for its members. Its
    /// workloads keep their leases, so that none starts before its old process has ended.
    private static let write = Statement(
        "write_pool",
        """
        INSERT INTO pool AS p (name, size, handler, observed_since, created_at, updated_at, updated_by, reason)
        SELECT $1, $2, $3, m.at, m.at, m.at, $4, $5 FROM (SELECT clock_timestamp() AS at OFFSET 0) m
        ON CONFLICT (name) DO UPDATE
        SET size = EXCLUDED.size, handler = EXCLUDED.handler, updated_at = EXCLUDED.updated_at,
            updated_by = EXCLUDED.updated_by, reason = EXCLUDED.reason,
            observed = CASE WHEN p.size IS NOT DISTINCT FROM EXCLUDED.size THEN p.observed ELSE 0 END,
            complete_size = CASE WHEN p.removed_at IS NULL THEN p.complete_size ELSE 0 END,
            waiting_for_members = p.waiting_for_members OR p.removed_at IS NOT NULL,
            created_at = CASE WHEN p.removed_at IS NULL THEN p.created_at ELSE EXCLUDED.created_at END,
            removed_at = NULL
        RETURNING id
        """, [.text, .int4, .text, .text, .text], isIdempotent: true)

    private static let lock = Statement(
        "lock_pool_workloads",
        "SELECT name FROM pool_workload WHERE pool_id = $1 ORDER BY name FOR NO KEY UPDATE", [.int4],
        isIdempotent: true)

    private static let add = Statement(
        "add_pool_workloads",
        """
        INSERT INTO pool_workload AS w (pool_id, name)
        SELECT $1, g.name FROM unnest($2::text[]) AS g (name) ORDER BY g.name COLLATE "C"
        ON CONFLICT (pool_id, name) DO UPDATE SET removed = false WHERE w.removed
        """, [.int4, .textArray], isIdempotent: true)

    private static let drop = Statement(
        "drop_pool_workloads",
        "UPDATE pool_workload SET removed = true WHERE pool_id = $1 AND NOT removed AND name <> ALL ($2)",
        [.int4, .textArray], isIdempotent: true)

    /// Creates a pool, or replaces its settings. In the same transaction new workloads are assigned, if the pool has
    /// its members, and workloads that are no longer listed lose their owner.
    public func configure(
        _ spec: PoolSpec, updatedBy: String? = nil, reason: String? = nil
    ) async throws(PostgresError) {
        var parameters = Parameters()
        parameters.append(text: spec.name)
        parameters.append(spec.size)
        parameters.append(text: spec.handler)
        parameters.append(text: updatedBy)
        parameters.append(text: reason)
        try await transaction { (transaction) throws(PostgresError) in
            let id = try await transaction.execute(Self.write, parameters).onlyRow().int4(0)
            var own = Parameters()
            own.append(id)
            _ = try await transaction.execute(Self.lock, own)
            own.append(spec.workloads)
            _ = try await transaction.execute(Self.add, own)
            _ = try await transaction.execute(Self.drop, own)
            try await rebalance(id, in: transaction)
            try await notify(spec.name, in: transaction)
        }
    }

    private static let remove = Statement(
        "remove_pool",
        """
        UPDATE pool SET removed_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE name = $1 AND removed_at IS NULL RETURNING id
        """, [.text])

    private static let dropAll = Statement(
        "drop_all_pool_workloads",
        "UPDATE pool_workload SET removed = true WHERE pool_id = $1 AND NOT removed", [.int4], isIdempotent: true)

    /// Removes a pool: its workloads stop, and it is no longer shown. Its rows are deleted when the last workload has
    /// stopped.
    /// - Returns: false if there is no such pool.
    public func remove(_ name: String) async throws(PostgresError) -> Bool {
        var parameters = Parameters()
        parameters.append(text: name)
        return try await transaction { (transaction) throws(PostgresError) in
            guard let row = try await transaction.execute(Self.remove, parameters).first else { return false }
            let id = try row.int4(0)
            var own = Parameters()
            own.append(id)
            _ = try await transaction.execute(Self.lock, own)
            _ = try await transaction.execute(Self.dropAll, own)
            try await rebalance(id, in: transaction)
            try await notify(name, in: transaction)
            return true
        }
    }

    /// Notifies members of a change of this pool.
    func notify(_ name: String, in transaction: Transaction) async throws(PostgresError) {
        var parameters = Parameters()
        parameters.append(text: name)
        _ = try await transaction.execute(Self.notify, parameters)
    }
}
