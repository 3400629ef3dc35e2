public import Postgres

/// For how long ended jobs are kept, counted from their end.
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

    /// How many days share a partition. Each partition costs a lease about 1 %, so long retentions have long spans.
    public var spanDays: Int32 { max(1, longestHours / 24 / 4) }
}

/// Where a sweep over the ended jobs stands: after the job of this key.
public struct RemovalCursor: Hashable, Sendable {
    let band: Int32
    let id: UUID

    /// Before every job.
    public static let start = RemovalCursor(band: 0, id: UUID(high: 0, low: 0))
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
    /// Jobs of the status that is kept longest are left alone until their span should have been dropped, and was not
    /// because of others: as a rule they go with their partition, which costs nothing. With all statuses kept equally
    /// long, no job is ever removed by itself.
    ///
    /// Walks over the ended jobs in the order of their key, a bounded number each time whether they are to go or not, so
    /// that no statement takes long and none walks twice over what another has removed. A job cannot have ended before
    /// it was created, which is its id: younger ones, and their partitions, are not looked at.
    ///
    /// A job that is being revived is waited for, and is then not there any more.
    static let remove = Statement(
        "remove_ended_jobs",
        """
        WITH moment AS MATERIALIZED (
            SELECT at, at - make_interval(hours => GREATEST($4, $5, $6)) AS longest_ago
            FROM (SELECT clock_timestamp() AS at OFFSET 0) m),
        undroppable AS MATERIALIZED (
            SELECT uuid_at(COALESCE((SELECT min(starts) FROM span WHERE ends > longest_ago AT TIME ZONE 'UTC')
                                    ::timestamp AT TIME ZONE 'UTC', longest_ago)) AS until
            FROM moment),
        seen AS MATERIALIZED (
            SELECT o.band_id, o.id FROM outcome o
            WHERE (o.band_id, o.id) > ($1, $2)
              AND o.id < (SELECT uuid_at(at - make_interval(hours => LEAST($4, $5, $6))) FROM moment)
            ORDER BY o.band_id, o.id LIMIT $3),
        gone AS MATERIALIZED (
            DELETE FROM outcome o USING seen s
            WHERE o.band_id = ANY (ARRAY[s.band_id]) AND o.id = ANY (ARRAY[s.id])
              AND o.finished_at < (SELECT at FROM moment)
                  - make_interval(hours => CASE o.status WHEN 'succeeded' THEN $4 WHEN 'failed' THEN $5 ELSE $6 END)
              AND (o.id < (SELECT until FROM undroppable)
                   OR CASE o.status WHEN 'succeeded' THEN $4 WHEN 'failed' THEN $5 ELSE $6 END
                      < GREATEST($4, $5, $6))
            RETURNING o.id, o.band_id, o.status),
        forgotten AS (DELETE FROM job j USING gone g WHERE j.id = ANY (ARRAY[g.id])),
        unreported AS (DELETE FROM progress p USING gone g WHERE p.id = ANY (ARRAY[g.id])),
        unexplained AS (DELETE FROM attempt_error a USING gone g WHERE a.id = ANY (ARRAY[g.id])),
        counted AS (
            INSERT INTO tally (band_id, step, n)
            SELECT band_id, ('removed_' || status)::job_step, count(*) FROM gone GROUP BY 1, 2)
        SELECT count(*) FILTER (WHERE status = 'succeeded'), count(*) FILTER (WHERE status = 'failed'),
               count(*) FILTER (WHERE status = 'cancelled'), (SELECT count(*) FROM seen),
               (SELECT band_id FROM seen ORDER BY band_id DESC, id DESC LIMIT 1),
               (SELECT id FROM seen ORDER BY band_id DESC, id DESC LIMIT 1)
        FROM gone
        """, [.int4, .uuid, .int4, .int4, .int4, .int4])

    /// Removes jobs that ended longer ago than `policy` keeps them, with their errors.
    /// - Parameter limit: looks at so many jobs at most.
    public func removeEnded(
        _ policy: RetentionPolicy, after cursor: RemovalCursor, atMost limit: Int32
    ) async throws(PostgresError) -> RemovalBatch {
        var parameters = Parameters()
        parameters.append(cursor.band)
        parameters.append(cursor.id)
        parameters.append(limit)
        parameters.append(policy.succeededHours)
        parameters.append(policy.failedHours)
        parameters.append(policy.cancelledHours)
        let row = try await hot.execute(Self.remove, parameters).onlyRow()
        var next: RemovalCursor?
        if try row.int8(3) >= Int64(limit) { next = RemovalCursor(band: try row.int4(4), id: try row.uuid(5)) }
        return RemovalBatch(
            succeeded: Int(try row.int8(0)), failed: Int(try row.int8(1)), cancelled: Int(try row.int8(2)), next: next)
    }
}
