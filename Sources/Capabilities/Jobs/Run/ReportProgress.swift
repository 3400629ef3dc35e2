public import Postgres

extension JobStore {
    /// Rows are written in the order of the ids, as everywhere. The lease is looked at and not locked: a report that
    /// meets the end of its attempt tells how far that had come, whichever is first.
    private static let progressStatement = Statement(
        "report_progress",
        """
        WITH given AS MATERIALIZED (
            SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::text[]) AS g (id, token, percent, message)
            ORDER BY id)
        INSERT INTO progress AS p (id, percent, message, reported_at)
        SELECT g.id, g.percent, g.message, clock_timestamp()
        FROM given g
        CROSS JOIN LATERAL (SELECT FROM lease WHERE id = g.id AND token = g.token OFFSET 0) l
        ON CONFLICT (id) DO UPDATE
        SET percent = EXCLUDED.percent, message = EXCLUDED.message, reported_at = EXCLUDED.reported_at
        """, [.uuidArray, .int8Array, .int2Array, .textArray], isIdempotent: true)

    /// Stores how far jobs are, in the place of what was stored before. Nothing is written for a lease that is not the
    /// job's current one. One report a job.
    /// - Returns: how many were stored.
    @discardableResult
    public func report(_ progress: [HeldLease: ProgressReport]) async throws(PostgresError) -> Int {
        let sorted = progress.sorted { $0.key.id < $1.key.id }
        var parameters = Parameters()
        parameters.appendArray(of: .uuid) { for entry in sorted { $0.append(entry.key.id) } }
        parameters.appendArray(of: .int8) { for entry in sorted { $0.append(entry.key.token) } }
        parameters.appendArray(of: .int2) { for entry in sorted { $0.append(entry.value.percent) } }
        parameters.appendArray(of: .text) { for entry in sorted { $0.append(text: entry.value.message) } }
        return try await hot.execute(Self.progressStatement, parameters).affectedRowCount
    }
}
