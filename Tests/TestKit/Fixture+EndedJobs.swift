public import Jobs
import Postgres

extension Fixture {
    /// Creates jobs that were created and ended in the past, as the statements of their life leave them.
    /// - Parameters:
    ///   - createdAgo: an interval of PostgreSQL, such as `48 hours`.
    ///   - finishedAgo: the same; nil: they ended when they were created.
    public func insertEnded(
        _ count: Int, as status: JobStatus, createdAgo: String, finishedAgo: String? = nil, queue: String = "old"
    ) async throws {
        try await sql(
            "SELECT register_subqueues(ARRAY[$1], ARRAY['work'], ARRAY[0]::smallint[], ARRAY[false])", texts: [queue])
        var parameters = Parameters()
        parameters.append(Int32(count))
        for text in [status.rawValue, createdAgo, finishedAgo ?? createdAgo, queue] { parameters.append(text: text) }
        try await sql(
            """
            WITH made AS MATERIALIZED (
                SELECT overlay(gen_random_uuid()::text
                               PLACING left(uuid_at(clock_timestamp() - $3::interval)::text, 13) FROM 1 FOR 13)::uuid
                           AS id,
                       b.id AS subqueue_id
                FROM generate_series(1, $1::int), subqueue b JOIN queue q ON q.id = b.queue_id WHERE q.name = $5),
            stored AS (
                INSERT INTO job (id, created_at, subqueue_id, payload)
                SELECT id, clock_timestamp() - $3::interval, subqueue_id, 'null' FROM made),
            outcome_rows AS (
                INSERT INTO outcome (id, token, worker_id, finished_at, subqueue_id, attempt, status)
                SELECT id, 1, 1, clock_timestamp() - $4::interval, subqueue_id, 1, $2::job_status FROM made),
            error_rows AS (
                INSERT INTO attempt_error (id, token, worker_id, started_at, failed_at, attempt, error)
                SELECT id, 1, 1, clock_timestamp(), clock_timestamp(), 1, '{}' FROM made WHERE $2 = 'failed')
            INSERT INTO transition_delta (subqueue_id, transition, n)
            SELECT subqueue_id, unnest(CASE $2 WHEN 'succeeded' THEN ARRAY['enqueued', 'leased', 'succeeded']
                                           WHEN 'failed' THEN ARRAY['enqueued', 'leased', 'failed']
                                           ELSE ARRAY['enqueued', 'cancelled_queued'] END)::job_transition, count(*)
            FROM made GROUP BY 1
            """, parameters)
    }
}
