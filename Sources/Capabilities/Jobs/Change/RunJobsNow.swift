internal import Postgres
internal import Values

extension JobStore {
    /// Scheduled jobs become `queued`, whatever they wait for: their `run_at`, a backoff, or the end of a snooze. They
    /// keep their attempts.
    private static let runNowStatement = Statement<[UUID], Actor>(
        "run_scheduled_jobs_now",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        named AS MATERIALIZED (
            \(sql: NamedJobs.rows)),
        unscheduled AS MATERIALIZED (
            \(sql: NamedJobs.deletion(from: "scheduled"))
            RETURNING id, subqueue_id, attempt, partition_key),
        queued AS (
            \(sql: JobRows.ready(from: "unscheduled, moment"))),
        event_rows AS (
            \(sql: JobRows.events(
                from: "unscheduled, moment", leasedAt: "NULL", worker: "NULL", transition: "'promoted'", actor: "$2",
                reason: "$3"))),
        delta_rows AS (
            \(sql: JobRows.deltas(JobRows.counts(of: "'promoted'", from: "unscheduled"))))
        SELECT q.name
        FROM unscheduled j
        JOIN subqueue b ON b.id = ANY (ARRAY[j.subqueue_id])
        JOIN queue q ON q.id = ANY (ARRAY[b.queue_id])
        """, isIdempotent: true)

    /// Makes the jobs that are `scheduled` ready at once, and notifies the workers that wait.
    /// - Returns: whether there was any.
    func runScheduled(_ ids: [UUID], by actor: Actor) async throws(PostgresError) -> Bool {
        let queues = try await hot.execute(Self.runNowStatement(ids, actor), lockWait: .inTries).decode(String.self)
        if !queues.isEmpty { notifier?.notify(Set(queues)) }
        return !queues.isEmpty
    }
}
