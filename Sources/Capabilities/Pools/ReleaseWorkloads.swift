public import Postgres
public import Values

extension PoolStore {
    /// The token stays in the row, so that the next lease has a higher one. A removed workload is deleted by the next
    /// rebalancing.
    static let release = Statement<Int32, Batch<WorkloadLeaseColumns>>(
        "release_workloads",
        """
        WITH given AS MATERIALIZED (
            SELECT name, token FROM \(sql: WorkloadLeaseColumns.columns.unnest(from: 2)) ORDER BY name COLLATE "C"),
        freed AS MATERIALIZED (
            UPDATE pool_workload w
            SET holder = NULL, holder_ordinal = NULL, acquired_at = NULL, expires_at = NULL, state = NULL,
                started_at = NULL
            FROM given g
            WHERE w.pool_id = $1 AND w.name = g.name AND w.token = g.token AND w.holder IS NOT NULL
            RETURNING w.name)
        SELECT f.n, CASE WHEN f.n > 0 THEN
                        (SELECT pg_notify(current_schema() || '_pool', p.name)::text FROM pool p WHERE p.id = $1) END
        FROM (SELECT count(*) AS n FROM freed) f
        """, isIdempotent: true)

    /// Releases leases. The caller confirms that no process runs under them: the owners may start the workloads.
    /// - Returns: the number of leases that were still held.
    @discardableResult
    public func release(_ leases: [WorkloadLease], ofPool id: Int32) async throws(PostgresError) -> Int {
        do throws(PostgresError) {
            return try await release(leases, ofPool: id, lockWait: leases.count > 1 ? .once : .inTries)
        } catch {
            guard error.sqlState == .lockNotAvailable, leases.count > 1 else { throw error }
        }
        // One by one, those that another transaction has locked last: they must not delay the others.
        var count = 0
        var locked: [WorkloadLease] = []
        for lease in leases {
            do throws(PostgresError) {
                count += try await release([lease], ofPool: id, lockWait: .briefly)
            } catch {
                guard error.sqlState == .lockNotAvailable else { throw error }
                locked.append(lease)
            }
        }
        return locked.isEmpty ? count : try await count + release(locked, ofPool: id, lockWait: .inTries)
    }

    private static let releaseEnded = Statement<String, [UUID]>(
        "release_ended_workloads",
        """
        WITH given AS MATERIALIZED (
            SELECT w.pool_id, w.name
            FROM pool p
            JOIN pool_workload w ON w.pool_id = p.id AND w.holder = ANY($2)
            WHERE p.name = $1
            ORDER BY w.name
            FOR NO KEY UPDATE OF w),
        freed AS MATERIALIZED (
            UPDATE pool_workload w
            SET holder = NULL, holder_ordinal = NULL, acquired_at = NULL, expires_at = NULL, state = NULL,
                started_at = NULL
            FROM given g
            WHERE w.pool_id = g.pool_id AND w.name = g.name
            RETURNING w.name)
        SELECT pg_notify(current_schema() || '_pool', $1)::text WHERE EXISTS (SELECT FROM freed)
        """, isIdempotent: true)

    /// Releases what incarnations hold that have ended, with the processes of all their workloads.
    public func releaseEnded(_ incarnations: [UUID], ofPool name: String) async throws(PostgresError) {
        _ = try await database.execute(Self.releaseEnded(name, incarnations))
    }

    private func release(
        _ leases: [WorkloadLease], ofPool id: Int32, lockWait: LockWait
    ) async throws(PostgresError) -> Int {
        let statement = Self.release(id, WorkloadLeaseColumns.batch(leases))
        let rows = try await database.execute(statement, lockWait: lockWait)
        return Int(try rows.decodeOnly((Int64, String?).self).0)
    }
}
