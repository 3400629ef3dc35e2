internal import EventLoop
internal import Postgres
internal import Values

/// The creation gate: how a job never gets into a subqueue that is being removed (`0013_remove_queues.sql`).
///
/// A statement that creates jobs names the empty table `creation_gate` in a sub-select with `FOR KEY SHARE`, as a lease
/// does with `lease_gate` (`PauseGate`): so it locks the table in ROW SHARE mode before it takes its snapshot. Then it
/// looks for its subqueues. If one is missing or retired, it creates nothing and returns no row, and its caller
/// registers the subqueues again. `enqueue` does the same by itself.
///
/// A removal retires a subqueue, and then waits for the transactions that hold the lock (`waitForCreations`). Those
/// that come later see that the subqueue is retired. Nothing ever requests a conflicting lock, so no creation waits.
enum CreationGate {
    /// Whether all subqueues of an array of ids may get jobs. The array is a parameter with its type.
    ///
    /// The lock and the first probe cost about a tenth of the insertion of one job.
    static func condition(subqueues: SQLFragment) -> SQLFragment {
        """
        NOT EXISTS (SELECT FROM creation_gate FOR KEY SHARE)
              AND NOT EXISTS (
                  SELECT FROM unnest(\(sql: subqueues)) AS g (id)
                  WHERE NOT EXISTS (SELECT FROM subqueue b WHERE b.id = g.id AND b.retired_at IS NULL))
        """
    }

    /// Transactions that may create jobs: of all, or of those that are among `$1`.
    private static let creations = Statement<[String]?>(
        "creations_under_way",
        """
        SELECT virtualtransaction FROM pg_locks
        WHERE relation = 'creation_gate'::regclass AND mode = 'RowShareLock' AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND ($1::text[] IS NULL OR virtualtransaction = ANY ($1))
        """, isIdempotent: true)

    /// Waits for the transactions that may create jobs now, for up to `ConnectionPool.Options.lockWaitMax`.
    /// - Returns: whether all of them have ended.
    static func waitForCreations(on pool: ConnectionPool) async throws(PostgresError) -> Bool {
        let deadline = MonotonicInstant.now() + pool.options.lockWaitMax
        var pause = Duration.milliseconds(1)
        var pending: [String] = try await pool.execute(creations(nil)).decode()
        while !pending.isEmpty {
            // A cancelled task would not pause between its looks.
            guard MonotonicInstant.now() < deadline, (try? await pool.loop.sleep(for: pause)) != nil else {
                return false
            }
            pause = min(pause * 2, LockWait.pauseMax)
            pending = try await pool.execute(creations(pending)).decode()
        }
        return true
    }
}
