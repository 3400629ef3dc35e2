public import Postgres

extension WorkerRegistry {
    /// Workers whose heartbeats have stopped, by the liveness clock, are deregistered, and their counters moved to the
    /// sums of the deregistered ones: exactly once, since a row that another process has locked is left to it. Totals
    /// are written in the order of their key, so that two processes that meet there never wait in a circle.
    private static let deregisterDeadStatement = Statement<Int32>(
        "deregister_dead_workers",
        """
        WITH dead AS MATERIALIZED (
            SELECT id, name, host, counters FROM worker
            WHERE deregistered_at IS NULL AND dead_after < (SELECT liveness_seconds FROM reaper_heartbeat)
            ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED),
        deleted AS (
            UPDATE worker w SET deregistered_at = clock_timestamp(), waiting = false, running = 0
            FROM dead d WHERE w.id = ANY (ARRAY[d.id])),
        rolled_up AS (
            INSERT INTO deregistered_counter AS c (series, value)
            SELECT e.key, sum(e.value::float8) FROM dead, jsonb_each_text(dead.counters) e GROUP BY e.key ORDER BY e.key
            ON CONFLICT (series) DO UPDATE SET value = c.value + EXCLUDED.value)
        SELECT id, name, host FROM dead
        """)

    /// Deregisters at most `limit` workers whose heartbeats have stopped, and returns them. Their leases are reclaimed
    /// (`JobStore.reclaimLeasesOfDeadWorkers`). A worker that is alive after all joins again as a new incarnation, and
    /// keeps the leases that are left.
    public func deregisterDead(atMost limit: Int32) async throws(PostgresError) -> [DeadWorker] {
        try await pool.execute(Self.deregisterDeadStatement(limit)).decode()
    }

    private static let pruneDeregisteredStatement = Statement<Int32, Int32, Int32>(
        "prune_deregistered_workers",
        """
        DELETE FROM worker WHERE id = ANY (ARRAY(
            SELECT id FROM worker
            WHERE deregistered_at < clock_timestamp() - make_interval(hours => longest_retention_hours($1) + $2)
            LIMIT $3 FOR UPDATE SKIP LOCKED))
        """, isIdempotent: true)

    /// Deletes the rows of at most `limit` workers that were deregistered longer ago than any job is kept, since jobs
    /// show the name of the worker that ran them.
    /// - Parameters:
    ///   - hours: the longest retention of jobs whose queue has no settings of its own.
    ///   - lateHours: how much longer a job may stay.
    /// - Returns: the number of deleted rows.
    public func pruneDeregistered(
        deregisteredHours hours: Int32, lateHours: Int32 = 0, atMost limit: Int32
    ) async throws(PostgresError) -> Int {
        try await pool.execute(Self.pruneDeregisteredStatement(hours, lateHours, limit)).affectedRowCount
    }
}

/// A worker that ended without deregistering.
public struct DeadWorker: Hashable, Sendable {
    public let id: Int64
    public let name: String
    public let host: String
}

extension DeadWorker: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        id = try columns.next()
        name = try columns.next()
        host = try columns.next()
    }
}
