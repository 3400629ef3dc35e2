internal import Postgres
internal import Values

/// The pace at which jobs are retried, if not all at once: one after the other.
struct RedrivePace: Sendable {
    /// Between two jobs.
    let secondsApart: Double
    /// When the first of all may run; nil: now, by PostgreSQL's clock.
    var origin: WallInstant?
    /// Number of jobs before these.
    var position: Int64 = 0
}

/// Jobs that were sent back to their queues.
struct RetriedJobs: Sendable {
    var ids: [UUID] = []
    /// PostgreSQL's clock, at the statement.
    var moment: WallInstant?
    /// The queues in which they wait to be leased.
    var queues: Set<String> = []

    var isEmpty: Bool { ids.isEmpty }
}

extension JobStore {
    /// Failed and cancelled jobs become `queued` or, at a pace, `scheduled`. Attempts are not reset: the job gets the
    /// remaining ones, and at least one. The key is compared in this form, and the status as text, so that no index but
    /// the primary key can serve: by another one a whole subqueue of ended jobs would be read.
    ///
    /// A job whose unique key another job holds by now stays as it is; the others hold theirs again.
    ///
    /// The end that the outcome showed is kept as an event, unless the last event of the job shows that end already.
    private static let retryStatement = Statement<[UUID], Actor, Double?, WallInstant?, Int64>(
        "retry_jobs",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        named AS MATERIALIZED (
            SELECT j.id, j.subqueue_id,
                   partition_key_of((SELECT queue_id FROM subqueue WHERE id = j.subqueue_id), j.concurrency_key)
                       AS partition_key,
                   (SELECT c.to_status FROM state_machine c WHERE c.transition = (
                        SELECT e.transition FROM event e WHERE e.id = j.id ORDER BY e.at DESC LIMIT 1)) AS last_status
            FROM unnest($1::uuid[]) AS g (id)
            JOIN job j ON j.id = ANY (ARRAY[g.id])
            WHERE g.id <> ALL (ARRAY(SELECT r.id FROM conflicting_jobs($1) r))
            ORDER BY g.id),
        ended AS MATERIALIZED (
            DELETE FROM outcome o USING named n
            WHERE o.subqueue_id = ANY (ARRAY[n.subqueue_id]) AND o.id = n.id AND o.status::text <> 'succeeded'
            RETURNING o.*, n.partition_key, n.last_status),
        decided AS MATERIALIZED (
            SELECT e.*, m.at,
                   (status || CASE WHEN $4 IS NULL THEN '_retried' ELSE '_redriven' END)::job_transition AS transition,
                   COALESCE($5, m.at) + make_interval(
                       secs => $4 * ($6 + row_number() OVER (ORDER BY e.id DESC) - 1)) AS run_at
            FROM ended e, moment m),
        queued AS (
            \(sql: JobRows.ready(from: "decided WHERE $4 IS NULL"))),
        later AS (
            \(sql: JobRows.scheduled(from: "decided WHERE $4 IS NOT NULL"))),
        event_rows AS (
            INSERT INTO event (id, at, leased_at, worker_id, transition, attempt, actor, reason)
            SELECT id, finished_at, started_at, worker_id,
                   CASE WHEN status = 'failed' THEN 'failed'
                        WHEN token IS NULL THEN 'cancelled_queued' ELSE 'cancelled_running' END::job_transition,
                   attempt, NULL, NULL
            FROM decided WHERE status IS DISTINCT FROM last_status
            UNION ALL
            SELECT id, at, NULL, NULL, transition, attempt, $2, $3 FROM decided),
        delta_rows AS (
            \(sql: JobRows.deltas(JobRows.counts(from: "decided"))))
        SELECT j.id, j.at, q.name
        FROM decided j
        JOIN subqueue b ON b.id = ANY (ARRAY[j.subqueue_id])
        JOIN queue q ON q.id = ANY (ARRAY[b.queue_id])
        """)

    /// Sends the jobs that have failed or were cancelled back to their queues, and notifies the workers that wait.
    /// - Parameter pace: nil: they may run at once.
    func retryEnded(
        _ ids: [UUID], by actor: Actor, at pace: RedrivePace? = nil, lockWait: LockWait = .inTries
    ) async throws(PostgresError) -> RetriedJobs {
        let statement = Self.retryStatement(ids, actor, pace?.secondsApart, pace?.origin, pace?.position ?? 0)
        var retried = RetriedJobs()
        for (id, moment, queue) in try await hot.execute(statement, lockWait: lockWait)
            .decode((UUID, WallInstant, String).self)
        {
            retried.ids.append(id)
            retried.moment = moment
            retried.queues.insert(queue)
        }
        if pace == nil, !retried.isEmpty { notifier?.notify(retried.queues) }
        return retried
    }
}
