public import Postgres

extension WorkerRegistry {
    /// Workers whose heartbeats have stopped are marked departed, and their counters moved to the sums of the departed:
    /// exactly once, since a row that another process has locked is left to it. Totals are written in the order of
    /// their key, so that two processes that meet there never wait in a circle.
    private static let pruneStatement = Statement(
        "prune_workers",
        """
        WITH dead AS MATERIALIZED (
            SELECT id, name, host, counters FROM worker
            WHERE deregistered_at IS NULL AND expires_at < clock_timestamp()
            ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED),
        deleted AS (
            UPDATE worker w SET deregistered_at = clock_timestamp(), waiting = false, running = 0
            FROM dead d WHERE w.id = ANY (ARRAY[d.id])),
        rolled_up AS (
            INSERT INTO deregistered_counter AS c (series, value)
            SELECT e.key, sum(e.value::float8) FROM dead, jsonb_each_text(dead.counters) e GROUP BY e.key ORDER BY e.key
            ON CONFLICT (series) DO UPDATE SET value = c.value + EXCLUDED.value)
        SELECT id, name, host FROM dead
        """, [.int4])

    /// Declares at most `limit` workers dead whose heartbeat has run out, and returns them. One that lives yet joins
    /// again as a new incarnation; the leases that it holds stay its own.
    public func prune(atMost limit: Int32) async throws(PostgresError) -> [DeadWorker] {
        var parameters = Parameters()
        parameters.append(limit)
        var dead: [DeadWorker] = []
        for row in try await pool.execute(Self.pruneStatement, parameters) {
            dead.append(DeadWorker(id: try row.int8(0), name: try row.text(1), host: try row.text(2)))
        }
        return dead
    }

    private static let pruneDeregisteredStatement = Statement(
        "prune_deregistered_workers",
        """
        DELETE FROM worker WHERE id = ANY (ARRAY(
            SELECT id FROM worker
            WHERE deregistered_at < clock_timestamp() - make_interval(hours => longest_retention_hours($1) + $2)
            LIMIT $3 FOR UPDATE SKIP LOCKED))
        """, [.int4, .int4, .int4], isIdempotent: true)

    /// Deletes the rows of at most `limit` workers that departed before every job that is kept, since jobs name the
    /// worker that ran them.
    /// - Parameters:
    ///   - hours: the longest that a job is kept whose queue says nothing else.
    ///   - lateHours: so much longer it may stay.
    /// - Returns: how many there were.
    public func pruneDeregistered(
        deregisteredHours hours: Int32, lateHours: Int32 = 0, atMost limit: Int32
    ) async throws(PostgresError) -> Int {
        var parameters = Parameters()
        parameters.append(hours)
        parameters.append(lateHours)
        parameters.append(limit)
        return try await pool.execute(Self.pruneDeregisteredStatement, parameters).affectedRowCount
    }
}

/// A worker that ended without saying goodbye.
public struct DeadWorker: Hashable, Sendable {
    public let id: Int64
    public let name: String
    public let host: String
}
