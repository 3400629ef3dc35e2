public import Postgres
internal import Values

/// For how long ended jobs are kept, counted from their end, unless their queue says otherwise.
public struct RetentionPolicy: Hashable, Sendable {
    public var succeededHours: Int32
    public var failedHours: Int32
    public var cancelledHours: Int32

    public init(succeededHours: Int32, failedHours: Int32, cancelledHours: Int32) {
        self.succeededHours = succeededHours
        self.failedHours = failedHours
        self.cancelledHours = cancelledHours
    }

    public var longestHours: Int32 { max(succeededHours, failedHours, cancelledHours) }

    /// How many days share a partition. Each partition costs a lease about 1 %, so long retentions have long partitions.
    public var partitionDays: Int32 { max(1, longestHours / 24 / 4) }

    /// So much longer a job may stay that goes with its partition.
    public var lateHours: Int32 { (partitionDays + 1) * 24 }
}

/// Where a sweep over the ended jobs stands: after the job of this key.
public struct RemovalCursor: Hashable, Sendable {
    let subqueue: Int32
    let id: UUID

    /// Before every job.
    public static let start = RemovalCursor(subqueue: 0, id: UUID(high: 0, low: 0))
}

/// What one statement has removed.
public struct RemovalBatch: Sendable {
    public let succeeded: Int
    public let failed: Int
    public let cancelled: Int
    /// Where the next statement begins; nil when it was the last of the sweep.
    public let next: RemovalCursor?

    public var count: Int { succeeded + failed + cancelled }
}

extension JobStore {
    /// Jobs of the status that is kept longest are left alone until their partition should have been dropped, and was not
    /// because of others: as a rule they go with their partition, which costs nothing. With all statuses kept equally
    /// long, no job is ever removed by itself.
    ///
    /// Walks over the ended jobs subqueue by subqueue, in the order of their key, a bounded number each time whether they are to
    /// go or not, so that no statement takes long and none walks twice over what another has removed. A job cannot have
    /// ended before it was created, which is its id: those younger than the least that their queue keeps, and their
    /// partitions, are not looked at.
    ///
    /// A job that is being retried is waited for, and is then not there any more.
    static let remove = Statement(
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
        deleted AS MATERIALIZED (
            DELETE FROM outcome o USING seen s
            WHERE o.subqueue_id = ANY (ARRAY[s.subqueue_id]) AND o.id = ANY (ARRAY[s.id])
              AND o.finished_at < (SELECT at FROM moment)
                  - make_interval(hours => retention_hours(s.q, o.status, $4, $5, $6))
              AND (o.id < (SELECT until FROM undroppable)
                   OR retention_hours(s.q, o.status, $4, $5, $6) < (SELECT longest FROM moment))
            RETURNING o.id, o.subqueue_id, o.status),
        deleted_jobs AS (DELETE FROM job j USING deleted g WHERE j.id = ANY (ARRAY[g.id])),
        deleted_progress AS (DELETE FROM progress p USING deleted g WHERE p.id = ANY (ARRAY[g.id])),
        deleted_errors AS (DELETE FROM attempt_error a USING deleted g WHERE a.id = ANY (ARRAY[g.id])),
        deleted_events AS (DELETE FROM event e USING deleted g WHERE e.id = ANY (ARRAY[g.id])),
        unclaimed AS (
            DELETE FROM unique_key_holder WHERE ctid = ANY (ARRAY(
                SELECT c.ctid FROM deleted g JOIN unique_key_holder c ON c.id = ANY (ARRAY[g.id])
                ORDER BY c.type_id, c.key FOR UPDATE OF c))),
        delta_rows AS (
            INSERT INTO transition_delta (subqueue_id, transition, n)
            SELECT subqueue_id, ('removed_' || status)::job_transition, count(*) FROM deleted GROUP BY 1, 2)
        SELECT count(*) FILTER (WHERE status = 'succeeded'), count(*) FILTER (WHERE status = 'failed'),
               count(*) FILTER (WHERE status = 'cancelled'), (SELECT count(*) FROM seen),
               (SELECT subqueue_id FROM seen ORDER BY subqueue_id DESC, id DESC LIMIT 1),
               (SELECT id FROM seen ORDER BY subqueue_id DESC, id DESC LIMIT 1)
        FROM deleted
        """, [.int4, .uuid, .int4, .int4, .int4, .int4])

    /// Removes jobs that ended longer ago than their queue or `policy` keeps them, with all that is told of them.
    /// - Parameter limit: looks at so many jobs at most.
    public func removeEnded(
        _ policy: RetentionPolicy, after cursor: RemovalCursor, atMost limit: Int32
    ) async throws(PostgresError) -> RemovalBatch {
        var parameters = Parameters()
        parameters.append(cursor.subqueue)
        parameters.append(cursor.id)
        parameters.append(limit)
        parameters.append(policy.succeededHours)
        parameters.append(policy.failedHours)
        parameters.append(policy.cancelledHours)
        let row = try await hot.execute(Self.remove, parameters).onlyRow()
        var next: RemovalCursor?
        if try row.int8(3) >= Int64(limit) { next = RemovalCursor(subqueue: try row.int4(4), id: try row.uuid(5)) }
        return RemovalBatch(
            succeeded: Int(try row.int8(0)), failed: Int(try row.int8(1)), cancelled: Int(try row.int8(2)), next: next)
    }
}
