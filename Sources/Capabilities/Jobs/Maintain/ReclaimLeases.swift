public import Postgres
internal import Telemetry
public import Values

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
    /// Expiry is decided inside the statement and by PostgreSQL's clock alone: a lease that is renewed before the row is
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
        decided AS MATERIALIZED (
            SELECT e.*, m.at,
                   CASE WHEN e.cancel_requested_at IS NOT NULL THEN 'cancelled_running'
                        WHEN e.attempt >= COALESCE(j.max_attempts, 0) THEN 'reclaimed_failed'
                        ELSE 'reclaimed' END::job_transition AS transition,
                   m.at + retry_delay(j.backoff_kind, j.backoff_base_seconds, j.backoff_max_seconds, e.attempt)
                       AS run_at
            FROM expired e
            CROSS JOIN moment m
            LEFT JOIN job j ON j.id = ANY (ARRAY[e.id])),
        outcome_rows AS (
            INSERT INTO outcome (id, token, worker_id, started_at, finished_at, subqueue_id, attempt, status)
            SELECT id, token, worker_id, leased_at, at, subqueue_id, attempt,
                   CASE transition WHEN 'cancelled_running' THEN 'cancelled' ELSE 'failed' END::job_status
            FROM decided WHERE transition IN ('cancelled_running', 'reclaimed_failed')),
        error_rows AS (
            INSERT INTO attempt_error (id, token, worker_id, started_at, failed_at, attempt, error)
            SELECT id, token, worker_id, leased_at, at, attempt,
                   json_build_object('kind', 'lease_expired', 'message',
                       'the lease expired: the worker died or could not reach PostgreSQL')
            FROM decided WHERE transition IN ('reclaimed', 'reclaimed_failed')
            ON CONFLICT (id, attempt) DO UPDATE
            SET token = EXCLUDED.token, worker_id = EXCLUDED.worker_id, started_at = EXCLUDED.started_at,
                failed_at = EXCLUDED.failed_at, error = EXCLUDED.error),
        later AS (
            INSERT INTO scheduled (id, run_at, subqueue_id, attempt, partition_key)
            SELECT id, run_at, subqueue_id, attempt, partition_key FROM decided WHERE transition = 'reclaimed'),
        event_rows AS (
            INSERT INTO event (id, at, leased_at, worker_id, transition, attempt, actor)
            SELECT id, at, leased_at, worker_id, transition, attempt, 'reaper' FROM decided),
        delta_rows AS (
            INSERT INTO transition_delta (subqueue_id, transition, n)
            SELECT subqueue_id, transition, count(*) FROM decided GROUP BY 1, 2)
        SELECT j.id, q.name, t.name, j.token, j.worker_id, j.attempt, j.expires_at, j.transition::text
        FROM decided j
        JOIN subqueue b ON b.id = ANY (ARRAY[j.subqueue_id])
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
            case "cancelled_running": .cancelled
            default: .failed
            }
    }
}
