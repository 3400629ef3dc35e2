internal import Postgres
internal import Values

extension JobStore {
    /// Waiting jobs become `cancelled`.
    private static let cancelStatement = Statement<[UUID], Actor>(
        "cancel_waiting_jobs",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        named AS MATERIALIZED (
            \(sql: NamedJobs.rows)),
        unqueued AS MATERIALIZED (
            \(sql: NamedJobs.deletion(from: "ready"))
            RETURNING id, subqueue_id, attempt),
        unscheduled AS MATERIALIZED (
            \(sql: NamedJobs.deletion(from: "scheduled"))
            RETURNING id, subqueue_id, attempt),
        deleted AS MATERIALIZED (
            SELECT *, 'cancelled_queued'::job_transition AS transition FROM unqueued
            UNION ALL SELECT *, 'cancelled_scheduled' FROM unscheduled),
        outcome_rows AS (
            INSERT INTO outcome (id, finished_at, subqueue_id, attempt, status)
            SELECT id, at, subqueue_id, attempt, 'cancelled' FROM deleted, moment),
        event_rows AS (
            \(sql: JobRows.events(
                from: "deleted, moment", leasedAt: "NULL", worker: "NULL", actor: "$2", reason: "$3"))),
        delta_rows AS (
            \(sql: JobRows.deltas(JobRows.counts(from: "deleted"))))
        SELECT id FROM deleted
        """, isIdempotent: true)

    /// Cancels the jobs that are `queued` or `scheduled`, and returns their ids.
    func cancelWaiting(
        _ ids: [UUID], by actor: Actor, lockWait: LockWait = .inTries
    ) async throws(PostgresError) -> [UUID] {
        try await hot.execute(Self.cancelStatement(ids, actor), lockWait: lockWait).decode()
    }
}
