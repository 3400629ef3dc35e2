public import Postgres

/// What became of a person's wish to change one job.
public enum ChangeAnswer: Sendable {
    /// Done; the job as it is now.
    case done(Job)
    /// Its state does not allow it; the job as it is.
    case refused(Job)
    /// There is no such job.
    case unknown
}

extension JobStore {
    /// A job that is promoted or leased while it is looked for is looked for again, so often.
    private static let changeAttemptsMax = 3

    /// Waiting jobs become `cancelled`. `band_id` finds the row in `ready` and spares an index on the id alone. Rows are
    /// looked up apart from the deletion (`OFFSET 0`), since after a VACUUM of empty tables every index that can answer a
    /// join seems as good as the right one.
    private static let cancel = Statement(
        "cancel_waiting_jobs",
        """
        WITH named AS MATERIALIZED (
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
            SELECT id, clock_timestamp(), band_id, attempt, 'cancelled' FROM gone),
        counted AS (
            INSERT INTO tally (band_id, step, n) SELECT band_id, step, count(*) FROM gone GROUP BY 1, 2)
        SELECT id FROM gone
        """, [.uuidArray], isIdempotent: true)

    /// Failed and cancelled jobs become `queued`. Attempts are not reset: the job gets those that are left, and at
    /// least one. The key is compared in this form, and the status as text, so that no index but the primary key can
    /// serve: by another one a whole band of ended jobs would be read.
    private static let revive = Statement(
        "revive_jobs",
        """
        WITH named AS MATERIALIZED (
            SELECT j.id, j.band_id,
                   lane_of((SELECT queue_id FROM band WHERE id = j.band_id), j.concurrency_key) AS lane
            FROM unnest($1::uuid[]) AS g (id)
            JOIN job j ON j.id = ANY (ARRAY[g.id])
            ORDER BY g.id),
        ended AS MATERIALIZED (
            DELETE FROM outcome o USING named n
            WHERE o.band_id = ANY (ARRAY[n.band_id]) AND o.id = n.id AND o.status::text <> 'succeeded'
            RETURNING o.id, o.band_id, o.attempt, o.status, n.lane),
        queued AS (
            INSERT INTO ready (id, ready_at, band_id, attempt, lane)
            SELECT id, clock_timestamp(), band_id, attempt, lane FROM ended),
        counted AS (
            INSERT INTO tally (band_id, step, n)
            SELECT band_id, CASE status WHEN 'failed' THEN 'revived_failed' ELSE 'revived_cancelled' END::job_step,
                   count(*)
            FROM ended GROUP BY 1, 2)
        SELECT id FROM ended
        """, [.uuidArray])

    /// Cancels a job that waits (`queued` or `scheduled`), and asks one that runs to stop: it is `ending` until its
    /// worker confirms.
    public func cancel(_ id: UUID, by actor: Actor = .unnamed) async throws(PostgresError) -> ChangeAnswer {
        for attempt in 1... {
            let answer = try await change(id, Self.cancel, whileIn: [.queued, .scheduled])
            guard case .refused(let job) = answer, job.status == .running else { return answer }
            if try await !stop([id], by: actor).isEmpty {
                return try await find(id).map { .done($0) } ?? .unknown
            }
            // It has just ended, or gone back to its queue.
            if attempt == Self.changeAttemptsMax { return answer }
        }
        return .unknown
    }

    /// Sends a job that has failed or was cancelled back to its queue, where it may run at once.
    public func retry(_ id: UUID, by actor: Actor = .unnamed) async throws(PostgresError) -> ChangeAnswer {
        let answer = try await change(id, Self.revive, whileIn: [.failed, .cancelled])
        if case .done(let job) = answer { notifier?.notify([job.queue]) }
        return answer
    }

    private func change(
        _ id: UUID, _ statement: Statement, whileIn allowed: Set<JobStatus>
    ) async throws(PostgresError) -> ChangeAnswer {
        var parameters = Parameters()
        parameters.append([id])
        for attempt in 1... {
            let changed = try await !hot.execute(statement, parameters).isEmpty
            guard let job = try await find(id) else { return .unknown }
            if changed { return .done(job) }
            if !allowed.contains(job.status) || attempt == Self.changeAttemptsMax { return .refused(job) }
        }
        return .unknown
    }
}
