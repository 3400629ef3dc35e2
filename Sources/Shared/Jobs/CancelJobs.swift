internal import Postgres

extension JobStore {
    /// Waiting jobs become `cancelled`. `band_id` finds the row in `ready` and spares an index on the id alone. Rows are
    /// looked up apart from the deletion (`OFFSET 0`), since after a VACUUM of empty tables every index that can answer a
    /// join seems as good as the right one.
    private static let cancel = Statement(
        "cancel_waiting_jobs",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        named AS MATERIALIZED (
            SELECT j.id, j.band_id
            FROM unnest($1::uuid[]) AS g (id)
            JOIN job j ON j.id = ANY (ARRAY[g.id])
            ORDER BY g.id),
        unqueued AS MATERIALIZED (
            DELETE FROM ready WHERE ctid = ANY (ARRAY(
                SELECT r.at FROM named n
                CROSS JOIN LATERAL (SELECT ctid AS at FROM ready WHERE band_id = n.band_id AND id = n.id OFFSET 0) r))
            RETURNING id, band_id, attempt),
        unscheduled AS MATERIALIZED (
            DELETE FROM scheduled WHERE ctid = ANY (ARRAY(
                SELECT s.at FROM named n
                CROSS JOIN LATERAL (
                    SELECT ctid AS at FROM scheduled WHERE band_id = n.band_id AND id = n.id OFFSET 0) s))
            RETURNING id, band_id, attempt),
        gone AS MATERIALIZED (
            SELECT *, 'cancelled_queued'::job_step AS step FROM unqueued
            UNION ALL SELECT *, 'cancelled_scheduled' FROM unscheduled),
        kept AS (
            INSERT INTO outcome (id, finished_at, band_id, attempt, status)
            SELECT id, at, band_id, attempt, 'cancelled' FROM gone, moment),
        told AS (
            INSERT INTO event (id, at, step, attempt, actor, reason)
            SELECT id, at, step, attempt, $2, $3 FROM gone, moment),
        counted AS (
            INSERT INTO tally (band_id, step, n) SELECT band_id, step, count(*) FROM gone GROUP BY 1, 2)
        SELECT id FROM gone
        """, [.uuidArray, .text, .text], isIdempotent: true)

    /// Cancels those of the jobs that are `queued` or `scheduled`, and returns which they were.
    func cancelWaiting(_ ids: [UUID], by actor: Actor) async throws(PostgresError) -> [UUID] {
        var parameters = Parameters()
        parameters.append(ids)
        parameters.append(actor)
        var cancelled: [UUID] = []
        for row in try await hot.execute(Self.cancel, parameters) { cancelled.append(try row.uuid(0)) }
        return cancelled
    }
}

extension Parameters {
    /// Who, and why. Whoever does not say comes by the api.
    mutating func append(_ actor: Actor) {
        append(text: actor.name ?? "api")
        append(text: actor.reason)
    }
}
