internal import EventLoop
internal import Postgres
internal import Values

/// The creation lock: how a job never gets into a subqueue that is being removed (`0013_remove_queues.sql`).
///
/// A statement that inserts into `job` has locked that table in ROW EXCLUSIVE mode before it takes its snapshot. In
/// the same statement it looks for its subqueues. If one is missing or retired, it creates nothing and returns no row,
/// and its caller registers the subqueues again. `enqueue` takes the lock, and then does the same.
///
/// A removal retires a subqueue, and then waits for the transactions that hold the lock (`waitForCreations`). Those
/// that come later see that the subqueue is retired. The lock conflicts with no other creation, and a removal never
/// requests one that conflicts with it, so no creation waits.
enum CreationLock {
    /// Whether all subqueues of an array of ids may get jobs. The array is a parameter with its type.
    static func condition(subqueues: SQLFragment) -> SQLFragment {
        """
        NOT EXISTS (
                  SELECT FROM unnest(\(sql: subqueues)) AS g (id)
                  WHERE NOT EXISTS (SELECT FROM subqueue b WHERE b.id = g.id AND b.retired_at IS NULL))
        """
    }

    /// Transactions that may create jobs: of all, or of those that are among `$1`. Those that change a job hold the
    /// lock too, and are short.
    private static let creations = Statement<[String]?>(
        "creations_under_way",
        """
        SELECT virtualtransaction FROM pg_locks
        WHERE relation = 'job'::regclass AND mode = 'RowExclusiveLock' AND granted
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
