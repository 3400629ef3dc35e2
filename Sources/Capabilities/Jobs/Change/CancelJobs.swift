internal import Postgres
internal import Values

extension JobStore {
    /// Waiting jobs become `cancelled`. `subqueue_id` finds the row in `ready` and spares an index on the id alone.
    /// Rows are looked up apart from the deletion (`OFFSET 0`), since after a VACUUM of empty tables every index that
    /// can answer a join seems as good as the right one.
    private static let cancelStatement = Statement<[UUID], Actor>(
        "cancel_waiting_jobs",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        named AS MATERIALIZED (
            SELECT j.id, j.subqueue_id
            FROM unnest($1::uuid[]) AS g (id)
            JOIN job j ON j.id = ANY (ARRAY[g.id])
            ORDER BY g.id),
        unqueued AS MATERIALIZED (
            DELETE FROM ready WHERE ctid = ANY (ARRAY(
                SELECT r.at FROM named n
                CROSS JOIN LATERAL (
                    SELECT ctid AS at FROM ready WHERE subqueue_id = n.subqueue_id AND id = n.id OFFSET 0) r))
            RETURNING id, subqueue_id, attempt),
        unscheduled AS MATERIALIZED (
            DELETE FROM scheduled WHERE ctid = ANY (ARRAY(
                SELECT s.at FROM named n
                CROSS JOIN LATERAL (
                    SELECT ctid AS at FROM scheduled WHERE subqueue_id = n.subqueue_id AND id = n.id OFFSET 0) s))
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
