public import Postgres
public import Telemetry

/// A lease that had expired and was taken back.
public struct ReclaimedLease: Sendable {
    /// What became of its job.
    public enum Fate: String, Sendable {
        /// It waits out its backoff, and will be tried again.
        case scheduled
        /// That was its last attempt.
        case failed
        /// It had been asked to stop.
        case cancelled
    }

    public let jobID: UUID
    public let queue: String
    public let type: String
    /// With it the worker can change nothing any more.
    public let token: Int64
    public let workerID: Int64
    /// The attempt that is spent, counted from 1.
    public let attempt: Int16
    public let expiredAt: WallInstant
    public let fate: Fate
}

/// What one statement has taken back.
public struct ReclaimBatch: Sendable {
    public let leases: [ReclaimedLease]
    /// PostgreSQL's clock, after the statement.
    public let moment: WallInstant
    /// When the next of the leases that are left expires, unless it is renewed; nil if there is none.
    public let nextExpiry: WallInstant?
}

extension JobStore {
    /// Expiry is judged inside the statement and by PostgreSQL's clock alone: a lease that is renewed before the row is
    /// locked is not taken, and one that is being renewed is passed over (SKIP LOCKED) until the next run. Any number of
    /// reclaimers share the work, since each row has one taker.
    ///
    /// It reads the whole table, by block range since the hot sessions have sequential scans off: there are only as many
    /// rows as jobs run, a few ms for 100,000, and an index on the expiry would cost every job 6 % of its WAL.
    ///
    /// The attempt is spent, as if it had failed: a job that kills its worker must not run for ever.
    static let reclaim = Statement(
        "reclaim_leases",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        expired AS MATERIALIZED (
            DELETE FROM lease WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM lease
                WHERE ctid >= '(0,0)' AND expires_at < (SELECT at FROM moment)
                LIMIT $1 FOR UPDATE SKIP LOCKED))
            RETURNING *),
        judged AS MATERIALIZED (
            SELECT e.*, m.at,
                   CASE WHEN e.cancel_requested_at IS NOT NULL THEN 'stopped'
                        WHEN e.attempt >= COALESCE(j.max_attempts, 0) THEN 'reclaimed_failed'
                        ELSE 'reclaimed' END::job_step AS step,
                   m.at + retry_delay(j.backoff_kind, j.backoff_base_seconds, j.backoff_max_seconds, e.attempt)
                       AS run_at
            FROM expired e
            CROSS JOIN moment m
            LEFT JOIN job j ON j.id = ANY (ARRAY[e.id])),
        kept AS (
            INSERT INTO outcome (id, token, worker_id, started_at, finished_at, band_id, attempt, status)
            SELECT id, token, worker_id, leased_at, at, band_id, attempt,
                   CASE step WHEN 'stopped' THEN 'cancelled' ELSE 'failed' END::job_status
            FROM judged WHERE step IN ('stopped', 'reclaimed_failed')),
        explained AS (
            INSERT INTO attempt_error (id, token, worker_id, started_at, failed_at, attempt, error)
            SELECT id, token, worker_id, leased_at, at, attempt,
                   json_build_object('kind', 'lease_expired', 'message',
                       'the lease expired: the worker died or could not reach PostgreSQL')
            FROM judged WHERE step IN ('reclaimed', 'reclaimed_failed')
            ON CONFLICT (id, attempt) DO UPDATE
            SET token = EXCLUDED.token, worker_id = EXCLUDED.worker_id, started_at = EXCLUDED.started_at,
                failed_at = EXCLUDED.failed_at, error = EXCLUDED.error),
        later AS (
            INSERT INTO scheduled (id, run_at, band_id, attempt, lane)
            SELECT id, run_at, band_id, attempt, lane FROM judged WHERE step = 'reclaimed'),
        told AS (
            INSERT INTO event (id, at, leased_at, worker_id, step, attempt, actor)
            SELECT id, at, leased_at, worker_id, step, attempt, 'reaper' FROM judged),
        counted AS (
            INSERT INTO tally (band_id, step, n)
            SELECT band_id, step, count(*) FROM judged GROUP BY 1, 2)
        SELECT j.id, q.name, t.name, j.token, j.worker_id, j.attempt, j.expires_at, j.step::text
        FROM judged j
        JOIN band b ON b.id = ANY (ARRAY[j.band_id])
        JOIN queue q ON q.id = ANY (ARRAY[b.queue_id])
        JOIN type t ON t.id = ANY (ARRAY[b.type_id])
        """, [.int4])

    private static let nextExpiry = Statement(
        "next_lease_expiry",
        """
        SELECT clock_timestamp(), (SELECT min(expires_at) FROM lease WHERE ctid >= '(0,0)')
        """, isIdempotent: true)

    /// Takes back leases that have expired.
    ///
    /// When the outcome is unknown nothing needs to be done: what was taken back is, what was not is found again.
    /// - Parameter limit: at most so many; fewer mean that no more had expired.
    public func reclaimExpired(atMost limit: Int32) async throws(PostgresError) -> ReclaimBatch {
        var bounds = Parameters()
        bounds.append(limit)
        let answers = try await hot.executeGroup([(Self.reclaim, bounds), (Self.nextExpiry, Parameters())])
        let next = try answers[1].onlyRow()
        var leases: [ReclaimedLease] = []
        leases.reserveCapacity(answers[0].count)
        for row in answers[0] { leases.append(try ReclaimedLease(row)) }
        return ReclaimBatch(
            leases: leases, moment: try next.timestamptz(0), nextExpiry: try next.optionalTimestamptz(1))
    }
}

extension ReclaimedLease {
    fileprivate init(_ row: Row) throws(PostgresError) {
        jobID = try row.uuid(0)
        queue = try row.text(1)
        type = try row.text(2)
        token = try row.int8(3)
        workerID = try row.int8(4)
        attempt = try row.int2(5)
        expiredAt = try row.timestamptz(6)
        fate =
            switch try row.text(7) {
            case "reclaimed": .scheduled
            case "stopped": .cancelled
            default: .failed
            }
    }
}
