internal import Postgres
internal import Telemetry

/// When jobs that are sent back shall run, if not at once: one after the other.
struct RedrivePace: Sendable {
    /// Between two jobs.
    let secondsApart: Double
    /// When the first of all may run; nil: now, by PostgreSQL's clock.
    var origin: WallInstant?
    /// So many come before these.
    var position: Int64 = 0
}

/// Jobs that live again.
struct RevivedJobs: Sendable {
    var ids: [UUID] = []
    /// PostgreSQL's clock, at the statement.
    var moment: WallInstant?
    /// The queues in which they wait to be leased.
    var queues: Set<String> = []

    var isEmpty: Bool { ids.isEmpty }
}

extension JobStore {
    /// Failed and cancelled jobs become `queued` or, at a pace, `scheduled`. Attempts are not reset: the job gets those
    /// that are left, and at least one. The key is compared in this form, and the status as text, so that no index but
    /// the primary key can serve: by another one a whole band of ended jobs would be read.
    ///
    /// A job whose unique key another one has by now stays as it is; the others claim theirs again.
    ///
    /// What the outcome has told of the end is kept as an event, unless the last event of the job is that end already.
    private static let revive = Statement(
        "revive_jobs",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        named AS MATERIALIZED (
            SELECT j.id, j.band_id,
                   lane_of((SELECT queue_id FROM band WHERE id = j.band_id), j.concurrency_key) AS lane,
                   (SELECT c.to_status FROM lifecycle c WHERE c.step = (
                        SELECT e.step FROM event e WHERE e.id = j.id ORDER BY e.at DESC LIMIT 1)) AS told_status
            FROM unnest($1::uuid[]) AS g (id)
            JOIN job j ON j.id = ANY (ARRAY[g.id])
            WHERE g.id <> ALL (ARRAY(SELECT r.id FROM rivalled_jobs($1) r))
            ORDER BY g.id),
        ended AS MATERIALIZED (
            DELETE FROM outcome o USING named n
            WHERE o.band_id = ANY (ARRAY[n.band_id]) AND o.id = n.id AND o.status::text <> 'succeeded'
            RETURNING o.*, n.lane, n.told_status),
        judged AS MATERIALIZED (
            SELECT e.*, m.at,
                   (CASE WHEN $4 IS NULL THEN 'revived_' ELSE 'redriven_' END || status)::job_step AS step,
                   COALESCE($5, m.at) + make_interval(
                       secs => $4 * ($6 + row_number() OVER (ORDER BY e.id DESC) - 1)) AS run_at
            FROM ended e, moment m),
        queued AS (
            INSERT INTO ready (id, ready_at, band_id, attempt, lane)
            SELECT id, at, band_id, attempt, lane FROM judged WHERE $4 IS NULL),
        later AS (
            INSERT INTO scheduled (id, run_at, band_id, attempt, lane)
            SELECT id, run_at, band_id, attempt, lane FROM judged WHERE $4 IS NOT NULL),
        told AS (
            INSERT INTO event (id, at, leased_at, worker_id, step, attempt, actor, reason)
            SELECT id, finished_at, started_at, worker_id,
                   CASE WHEN status = 'failed' THEN 'failed'
                        WHEN token IS NULL THEN 'cancelled_queued' ELSE 'stopped' END::job_step,
                   attempt, NULL, NULL
            FROM judged WHERE status IS DISTINCT FROM told_status
            UNION ALL
            SELECT id, at, NULL, NULL, step, attempt, $2, $3 FROM judged),
        counted AS (
            INSERT INTO tally (band_id, step, n) SELECT band_id, step, count(*) FROM judged GROUP BY 1, 2)
        SELECT j.id, j.at, q.name
        FROM judged j
        JOIN band b ON b.id = ANY (ARRAY[j.band_id])
        JOIN queue q ON q.id = ANY (ARRAY[b.queue_id])
        """, [.uuidArray, .text, .text, .float8, .timestamptz, .int8])

    /// Sends those of the jobs back that have failed or were cancelled, and tells the workers that wait.
    /// - Parameter pace: nil: they may run at once.
    func revive(
        _ ids: [UUID], by actor: Actor, at pace: RedrivePace? = nil
    ) async throws(PostgresError) -> RevivedJobs {
        var parameters = Parameters()
        parameters.append(ids)
        parameters.append(actor)
        parameters.append(pace?.secondsApart)
        parameters.append(pace?.origin)
        parameters.append(pace?.position ?? 0)
        var revived = RevivedJobs()
        for row in try await hot.execute(Self.revive, parameters) {
            revived.ids.append(try row.uuid(0))
            revived.moment = try row.timestamptz(1)
            revived.queues.insert(try row.text(2))
        }
        if pace == nil, !revived.isEmpty { notifier?.notify(revived.queues) }
        return revived
    }
}
