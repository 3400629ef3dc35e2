public import Postgres
public import Values

/// A lease that was reclaimed.
public struct ReclaimedLease: Sendable {
    /// The state of its job afterwards.
    public enum Fate: String, Sendable {
        /// Waits for its backoff, and will be tried again.
        case scheduled
        /// The attempt was the last one.
        case failed
        /// It had been asked to stop.
        case cancelled
    }

    public let jobID: UUID
    public let queue: String
    public let type: String
    /// The worker's token, with which it can change nothing any more.
    public let token: Int64
    public let workerID: Int64
    /// The attempt that is spent, counted from 1.
    public let attempt: Int16
    /// When the lease ended, or would have ended.
    public let expiresAt: WallInstant
    public let fate: Fate
}

/// The result of one reclaim statement.
public struct ReclaimBatch: Sendable {
    public let leases: [ReclaimedLease]
    /// PostgreSQL's clock, after the statement.
    public let moment: WallInstant
    /// When the next of the remaining leases expires, unless it is renewed; nil if there is none.
    public let nextExpiry: WallInstant?
}

extension JobStore {
    /// Expiry is decided inside the statement and by PostgreSQL's clock alone: a lease that is renewed before the row
    /// is locked is not taken, and one that is being renewed is skipped (SKIP LOCKED) until the next run. Any number of
    /// reclaimers share the work, since each row is taken once.
    ///
    /// It reads the whole table, by block range since the hot sessions have sequential scans off: there are only as
    /// many rows as running jobs, a few ms for 100,000, and an index on the expiry would cost every job 6 % of its WAL.
    ///
    static let reclaim = Statement<Int32>(
        "reclaim_leases",
        reclaiming(
            "ctid >= '(0,0)' AND expires_at < (SELECT at FROM moment)",
            error: """
                json_build_object('kind', 'lease_expired', 'message',
                    'the lease expired: the worker died or could not reach PostgreSQL')
                """))

    /// Leases whose worker has been deregistered: it was considered dead, or has not released them at its end. Not
    /// those whose queue or handler says that a lease outlives its worker (`Takeover.lease`).
    static let reclaimOfDeadWorkers = Statement<Int32>(
        "reclaim_leases_of_dead_workers",
        reclaiming(
            """
            ctid >= '(0,0)'
                  AND worker_id = ANY (ARRAY(
                      SELECT w.id FROM (SELECT DISTINCT worker_id FROM lease WHERE ctid >= '(0,0)') d
                      JOIN worker w ON w.id = d.worker_id AND w.deregistered_at IS NOT NULL))
                  AND NOT EXISTS (
                      SELECT FROM subqueue b
                      JOIN queue q ON q.id = ANY (ARRAY[b.queue_id])
                      JOIN type t ON t.id = ANY (ARRAY[b.type_id])
                      JOIN worker w ON w.id = ANY (ARRAY[lease.worker_id])
                      WHERE b.id = ANY (ARRAY[lease.subqueue_id])
                        AND (q.keeps_leases OR handles_type(w.kept_types, t.name)))
            """,
            error: """
                json_build_object('kind', 'worker_died', 'message',
                    'the worker died, or ended without the job: its heartbeats stopped')
                """))

    /// The attempt is spent, as if it had failed: a job that kills its worker must not run for ever.
    /// - Parameters:
    ///   - condition: which rows of `lease`.
    ///   - error: the error of their attempts.
    private static func reclaiming(_ condition: SQLFragment, error: SQLFragment) -> SQLFragment {
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        expired AS MATERIALIZED (
            DELETE FROM lease WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM lease
                WHERE \(sql: condition)
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
            \(sql: JobRows.outcomes(
                from: "decided WHERE transition IN ('cancelled_running', 'reclaimed_failed')",
                status: "CASE transition WHEN 'cancelled_running' THEN 'cancelled' ELSE 'failed' END::job_status"))),
        error_rows AS (
            \(sql: JobRows.errors(
                from: "decided WHERE transition IN ('reclaimed', 'reclaimed_failed')",
                error: error))),
        later AS (
            \(sql: JobRows.scheduled(from: "decided WHERE transition = 'reclaimed'"))),
        event_rows AS (
            \(sql: JobRows.events(from: "decided", actor: "'reaper'"))),
        delta_rows AS (
            \(sql: JobRows.deltas(JobRows.counts(from: "decided"))))
        SELECT j.id, q.name, t.name, j.token, j.worker_id, j.attempt, j.expires_at, j.transition::text
        FROM decided j
        JOIN subqueue b ON b.id = ANY (ARRAY[j.subqueue_id])
        JOIN queue q ON q.id = ANY (ARRAY[b.queue_id])
        JOIN type t ON t.id = ANY (ARRAY[b.type_id])
        """
    }

    private static let nextExpiry = Statement(
        "next_lease_expiry",
        """
        SELECT clock_timestamp(), (SELECT min(expires_at) FROM lease WHERE ctid >= '(0,0)')
        """, isIdempotent: true)

    /// Reclaims leases that have expired, and notifies the workers that wait: their queues may have free slots.
    ///
    /// When the outcome is unknown nothing needs to be done: leases that were not reclaimed are found again.
    /// - Parameter limit: maximum number of leases; fewer mean that no more had expired.
    public func reclaimExpired(atMost limit: Int32) async throws(PostgresError) -> ReclaimBatch {
        let answers = try await hot.executeGroup([Self.reclaim(limit), Self.nextExpiry()])
        let (moment, nextExpiry) = try answers[1].decodeOnly((WallInstant, WallInstant?).self)
        return ReclaimBatch(leases: try notified(of: answers[0]), moment: moment, nextExpiry: nextExpiry)
    }

    /// Reclaims leases of workers that are considered dead, in the same way.
    public func reclaimLeasesOfDeadWorkers(atMost limit: Int32) async throws(PostgresError) -> [ReclaimedLease] {
        try notified(of: try await hot.execute(Self.reclaimOfDeadWorkers(limit)))
    }

    private func notified(of rows: Rows) throws(PostgresError) -> [ReclaimedLease] {
        let leases: [ReclaimedLease] = try rows.decode()
        if !leases.isEmpty { notifier?.notify(Set(leases.lazy.map(\.queue))) }
        return leases
    }
}

extension ReclaimedLease: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        jobID = try columns.next()
        queue = try columns.next()
        type = try columns.next()
        token = try columns.next()
        workerID = try columns.next()
        attempt = try columns.next()
        expiresAt = try columns.next()
        fate = try columns.next(parsing: Fate.init(transition:))
    }
}

extension ReclaimedLease.Fate {
    fileprivate init?(transition: String) {
        switch transition {
        case "reclaimed": self = .scheduled
        case "reclaimed_failed": self = .failed
        case "cancelled_running": self = .cancelled
        default: return nil
        }
    }
}
