public import Postgres

/// How long jobs of a queue wait for a worker.
public struct QueueWait: Hashable, Sendable {
    public let queue: String
    /// Wait of the oldest ready job that a live worker could run: one that takes its queue and has a handler for its
    /// type, neither of which is paused. 0 if there is none.
    public let oldestSeconds: Double
    /// Ready jobs that no live worker could run, whether they are paused or not.
    public let unrunnable: Int64

    public init(queue: String, oldestSeconds: Double, unrunnable: Int64) {
        self.queue = queue
        self.oldestSeconds = oldestSeconds
        self.unrunnable = unrunnable
    }
}

extension QueueReports {
    /// Reads the first row of each subqueue, so it costs most of all reports.
    ///
    /// Workers differ little in what they take, so the types are compared with each different pair of lists, and not
    /// with each worker, let alone for each subqueue: `runnable` has the pairs of queue and type that some worker
    /// takes; without a queue, it takes the type from all of them.
    private static let waitStatement = Statement(
        "queue_waits",
        """
        WITH taking AS MATERIALIZED (
            SELECT DISTINCT queues, types FROM worker
            WHERE deregistered_at IS NULL AND expires_at > clock_timestamp()),
        runnable AS MATERIALIZED (
            SELECT DISTINCT q.id AS queue_id, t.id AS type_id
            FROM taking w
            JOIN type t ON handles_type(w.types, t.name)
            LEFT JOIN queue q ON q.name = ANY (w.queues)
            WHERE w.queues IS NULL OR q.id IS NOT NULL),
        pause AS MATERIALIZED (SELECT queue_id, type_id FROM active_pause),
        head AS MATERIALIZED (
            SELECT b.id, CASE WHEN q.in_metrics THEN q.id ELSE 0 END AS metric_id, h.ready_at,
                   of_all.type_id IS NOT NULL OR of_queue.type_id IS NOT NULL AS is_runnable,
                   paused_queue.queue_id IS NOT NULL OR paused_type.type_id IS NOT NULL AS is_paused
            FROM subqueue b
            JOIN ready_head h ON h.subqueue_id = b.id
            JOIN queue q ON q.id = b.queue_id
            LEFT JOIN runnable of_all ON of_all.queue_id IS NULL AND of_all.type_id = b.type_id
            LEFT JOIN runnable of_queue ON of_queue.queue_id = b.queue_id AND of_queue.type_id = b.type_id
            LEFT JOIN pause paused_queue ON paused_queue.queue_id = b.queue_id
            LEFT JOIN pause paused_type ON paused_type.type_id = b.type_id),
        oldest AS (
            SELECT metric_id, min(ready_at) AS ready_at FROM head
            WHERE is_runnable AND NOT is_paused
              AND NOT EXISTS (SELECT FROM pause WHERE queue_id IS NULL AND type_id IS NULL)
            GROUP BY 1),
        unrunnable AS (
            SELECT c.metric_id, sum(c.n * CASE WHEN m.to_status = 'queued' THEN 1 ELSE -1 END)::bigint AS n
            FROM (SELECT u.metric_id, t.transition, t.n
                  FROM head u JOIN transition_total t ON t.subqueue_id = u.id WHERE NOT u.is_runnable
                  UNION ALL
                  SELECT u.metric_id, d.transition, d.n
                  FROM head u JOIN transition_delta d ON d.subqueue_id = u.id WHERE NOT u.is_runnable) c
            JOIN state_machine m ON m.transition = c.transition
            WHERE m.to_status = 'queued' OR m.from_status = 'queued'
            GROUP BY 1)
        SELECT n.name,
               COALESCE(GREATEST(0, EXTRACT(epoch FROM clock_timestamp() - o.ready_at)), 0)::float8,
               COALESCE(u.n, 0)
        FROM (SELECT id, name FROM queue WHERE in_metrics
              UNION ALL
              SELECT 0, 'other' WHERE EXISTS (SELECT FROM queue WHERE NOT in_metrics)) n
        LEFT JOIN oldest o ON o.metric_id = n.id
        LEFT JOIN unrunnable u ON u.metric_id = n.id
        """, isIdempotent: true)

    /// Of each queue that has a name in the metrics, and of all others as `other`.
    public func waits() async throws(PostgresError) -> [QueueWait] {
        try await pool.execute(Self.waitStatement()).decode()
    }
}

extension QueueWait: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        queue = try columns.next()
        oldestSeconds = try columns.next()
        unrunnable = try columns.next()
    }
}
