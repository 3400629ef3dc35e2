public import Postgres
public import Values

/// The position of a sweep over the ended jobs: after the job of this key.
public struct RemovalCursor: Hashable, Sendable {
    let subqueue: Int32
    let id: UUID

    /// Before every job.
    public static let start = RemovalCursor(subqueue: 0, id: UUID(high: 0, low: 0))
}

extension RemovalCursor: StatementInputGroup {
    public var statementInputs: StatementInputs<Int32, UUID> { StatementInputs(subqueue, id) }
}

/// The result of one removal statement.
public struct RemovalBatch: Sendable {
    public let succeeded: Int
    public let failed: Int
    public let cancelled: Int
    /// Where the next statement begins; nil after the last one of the sweep.
    public let next: RemovalCursor?

    public var count: Int { succeeded + failed + cancelled }
}

extension JobStore {
    /// Whether an ended job `o` has been kept for long enough, and does not go with its partition.
    private static func isDue(queue: SQLFragment) -> SQLFragment {
        """
        o.finished_at < (SELECT at FROM moment)
                  - make_interval(hours => retention_hours(\(sql: queue), o.status, $4, $5, $6))
              AND (o.id < (SELECT until FROM undroppable)
                   OR retention_hours(\(sql: queue), o.status, $4, $5, $6) < (SELECT longest FROM moment))
        """
    }

    /// Jobs of the status that is kept longest are removed with their partition as a rule, which costs nothing. This
    /// statement removes them only when their partition should have been dropped and was not because of other jobs.
    /// With all statuses kept equally long, it never removes a job.
    ///
    /// It reads the ended jobs subqueue by subqueue, in the order of their key, a bounded number each time whether they
    /// are removed or not, so that no statement takes long and none reads rows again that another has removed. A job
    /// cannot have ended before it was created, and its id says when that was: jobs younger than the shortest retention
    /// of their queue, and their partitions, are not read.
    ///
    /// No lock is waited for: a job that is being retried, or whose unique key another transaction holds, is left to a
    /// later sweep. The keys are locked before the outcomes, as everywhere (decision 14).
    static let remove = Statement<RemovalCursor, Int32, RetentionPolicy>(
        "remove_ended_jobs",
        """
        WITH moment AS MATERIALIZED (
            SELECT at, longest, at - make_interval(hours => longest) AS longest_ago
            FROM (SELECT clock_timestamp() AS at, longest_retention_hours(GREATEST($4, $5, $6)) AS longest OFFSET 0) m),
        undroppable AS MATERIALIZED (
            SELECT uuid_at(COALESCE((SELECT min(starts) FROM job_partition WHERE ends > longest_ago AT TIME ZONE 'UTC')
                                    ::timestamp AT TIME ZONE 'UTC', longest_ago)) AS until
            FROM moment),
        seen AS MATERIALIZED (
            SELECT e.subqueue_id, e.id, b.q
            FROM (SELECT b.id, q, CASE WHEN b.id = $1 THEN $2 ELSE uuid_at('epoch') END AS after,
                         uuid_at((SELECT at FROM moment) - make_interval(hours => LEAST(
                             retention_hours(q, 'succeeded', $4, $5, $6), retention_hours(q, 'failed', $4, $5, $6),
                             retention_hours(q, 'cancelled', $4, $5, $6)))) AS until
                  FROM subqueue b JOIN queue q ON q.id = ANY (ARRAY[b.queue_id])
                  WHERE b.id >= $1 ORDER BY b.id) b
            CROSS JOIN LATERAL (
                SELECT o.subqueue_id, o.id FROM outcome o
                WHERE o.subqueue_id = b.id AND o.id > b.after AND o.id < b.until
                ORDER BY o.id LIMIT $3) e
            LIMIT $3),
        due AS MATERIALIZED (
            SELECT s.subqueue_id, s.id, s.q
            FROM seen s
            CROSS JOIN LATERAL (
                SELECT FROM outcome o
                WHERE o.subqueue_id = s.subqueue_id AND o.id = s.id AND \(sql: isDue(queue: "s.q")) OFFSET 0) o),
        keys AS MATERIALIZED (
            SELECT c.at, c.id
            FROM due d
            CROSS JOIN LATERAL (
                SELECT ctid AS at, id FROM unique_key_holder WHERE id = d.id FOR UPDATE SKIP LOCKED) c),
        unlocked AS MATERIALIZED (
            SELECT o.subqueue_id, o.id
            FROM due d
            CROSS JOIN LATERAL (
                SELECT o.subqueue_id, o.id FROM outcome o
                WHERE o.subqueue_id = d.subqueue_id AND o.id = d.id AND \(sql: isDue(queue: "d.q"))
                FOR UPDATE SKIP LOCKED) o
            WHERE d.id IN (SELECT id FROM keys) OR NOT EXISTS (SELECT FROM unique_key_holder c WHERE c.id = d.id)),
        deleted AS MATERIALIZED (
            DELETE FROM outcome o USING unlocked u
            WHERE o.subqueue_id = ANY (ARRAY[u.subqueue_id]) AND o.id = u.id
            RETURNING o.id, o.subqueue_id, o.status),
        deleted_jobs AS (DELETE FROM job j USING deleted g WHERE j.id = ANY (ARRAY[g.id])),
        deleted_progress AS (DELETE FROM progress p USING deleted g WHERE p.id = ANY (ARRAY[g.id])),
        deleted_errors AS (DELETE FROM attempt_error a USING deleted g WHERE a.id = ANY (ARRAY[g.id])),
        deleted_events AS (DELETE FROM event e USING deleted g WHERE e.id = ANY (ARRAY[g.id])),
        released_keys AS (
            DELETE FROM unique_key_holder WHERE ctid = ANY (ARRAY(
                SELECT at FROM keys WHERE id IN (SELECT id FROM deleted)))),
        delta_rows AS (
            \(sql: JobRows.deltas(
                JobRows.counts(from: "deleted", transition: "('removed_' || status)::job_transition"))))
        SELECT count(*) FILTER (WHERE status = 'succeeded'), count(*) FILTER (WHERE status = 'failed'),
               count(*) FILTER (WHERE status = 'cancelled'), (SELECT count(*) FROM seen),
               (SELECT subqueue_id FROM seen ORDER BY subqueue_id DESC, id DESC LIMIT 1),
               (SELECT id FROM seen ORDER BY subqueue_id DESC, id DESC LIMIT 1)
        FROM deleted
        """)

    /// Removes jobs that ended longer ago than their queue or `policy` keeps them, with all of their rows.
    /// - Parameter limit: maximum number of jobs to read.
    public func removeEnded(
        _ policy: RetentionPolicy, after cursor: RemovalCursor, atMost limit: Int32
    ) async throws(PostgresError) -> RemovalBatch {
        let row: RemovalRow = try await hot.execute(Self.remove(cursor, limit, policy)).decodeOnly()
        return RemovalBatch(
            succeeded: Int(row.succeeded), failed: Int(row.failed), cancelled: Int(row.cancelled),
            next: row.seen >= Int64(limit) ? row.last : nil)
    }
}

private struct RemovalRow: RowDecodable {
    let succeeded: Int64
    let failed: Int64
    let cancelled: Int64
    let seen: Int64
    /// nil: no job was read.
    let last: RemovalCursor?

    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        succeeded = try columns.next()
        failed = try columns.next()
        cancelled = try columns.next()
        seen = try columns.next()
        let subqueue: Int32? = try columns.next()
        let id: UUID? = try columns.next()
        if let subqueue, let id { last = RemovalCursor(subqueue: subqueue, id: id) } else { last = nil }
    }
}
