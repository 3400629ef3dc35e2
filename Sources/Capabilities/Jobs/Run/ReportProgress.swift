public import Postgres

extension JobStore {
    /// Rows are written in the order of the ids, as everywhere. The lease is read and not locked: a report that
    /// coincides with the end of its attempt still says how far that had come, whichever is first. A row that another
    /// transaction has locked is skipped: the next report replaces it.
    private static let progressStatement = Statement<Batch<ReportColumns>>(
        "report_progress",
        """
        WITH given AS MATERIALIZED (
            SELECT * FROM \(sql: ReportColumns.columns.unnest())
            ORDER BY id)
        INSERT INTO progress AS p (id, percent, message, reported_at)
        SELECT g.id, g.percent, g.message, clock_timestamp()
        FROM given g
        CROSS JOIN LATERAL (SELECT FROM lease WHERE id = g.id AND token = g.token OFFSET 0) l
        LEFT JOIN LATERAL (SELECT id FROM progress WHERE id = g.id FOR NO KEY UPDATE SKIP LOCKED) u ON true
        WHERE u.id IS NOT NULL OR NOT EXISTS (SELECT FROM progress WHERE id = g.id)
        ON CONFLICT (id) DO UPDATE
        SET percent = EXCLUDED.percent, message = EXCLUDED.message, reported_at = EXCLUDED.reported_at
        """, isIdempotent: true)

    /// Stores the progress of jobs in place of what was stored before; one report for each job. Nothing is written for
    /// a lease that is not the job's current one.
    /// - Returns: the number of reports that were stored.
    @discardableResult
    public func report(_ progress: [HeldLease: ProgressReport]) async throws(PostgresError) -> Int {
        let sorted = progress.sorted { $0.key.id < $1.key.id }
        return try await hot.execute(Self.progressStatement(Batch(sorted))).affectedRowCount
    }
}

private enum ReportColumns: BatchColumns {
    static let columns = ColumnBatch<(key: HeldLease, value: ProgressReport)>([
        .uuid("id") { $0.key.id },
        .int8("token") { $0.key.token },
        .int2("percent") { $0.value.percent },
        .text("message") { $0.value.message },
    ])
}
