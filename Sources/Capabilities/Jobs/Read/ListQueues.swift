public import Postgres

/// A queue with its settings and depth.
public struct QueueSummary: Sendable {
    public let name: String
    public let settings: QueueSettings
    /// The number of jobs by status; statuses without jobs may be left out.
    public var depths: [JobStatus: Int64] = [:]
    /// How long the oldest ready job has waited, whether a worker could run it or not; nil: none is ready.
    public var oldestReadySeconds: Double?
}

/// A page reads the rows of its queues and of their subqueues, and all deltas, which are few.
extension QueueReports {
    private static let columns: SQLFragment = """
        id, name, max_running, max_running_per_key, rate_count, rate_seconds, rate_burst, succeeded_hours, failed_hours,
        cancelled_hours, keeps_leases
        """

    /// Names consist of characters below `~`, so the names with a prefix are those from the prefix on that are below
    /// the prefix with a `~`.
    private static let pageStatement = Statement<String, String, Int32>(
        "list_queues",
        """
        SELECT \(sql: columns) FROM queue
        WHERE name > $1 AND name >= $2 AND name < $2 || '~'
        ORDER BY name LIMIT $3
        """, isIdempotent: true)

    private static let findStatement = Statement<String>(
        "find_queue", "SELECT \(sql: columns) FROM queue WHERE name = $1", isIdempotent: true)

    private static let depthStatement = Statement<[Int32]>(
        "queue_depths",
        """
        SELECT c.queue_id, s.status::text, sum(c.n * s.sign)::bigint
        FROM (SELECT queue_id, transition, n FROM queue_transition_total WHERE queue_id = ANY ($1)
              UNION ALL
              SELECT b.queue_id, d.transition, d.n
              FROM (SELECT subqueue_id, transition, sum(n) AS n FROM transition_delta GROUP BY 1, 2) d
              JOIN subqueue b ON b.id = d.subqueue_id
              WHERE b.queue_id = ANY ($1)) c
        JOIN (SELECT transition, to_status AS status, 1 AS sign FROM state_machine WHERE to_status IS NOT NULL
              UNION ALL
              SELECT transition, from_status, -1 FROM state_machine WHERE from_status IS NOT NULL) s USING (transition)
        GROUP BY 1, 2
        """, isIdempotent: true)

    /// Reads the first row of each subqueue of the queues.
    private static let oldestStatement = Statement<[Int32]>(
        "oldest_ready",
        """
        SELECT b.queue_id, GREATEST(0, EXTRACT(epoch FROM clock_timestamp() - min(h.ready_at)))::float8
        FROM subqueue b JOIN ready_head h ON h.subqueue_id = b.id
        WHERE b.queue_id = ANY ($1)
        GROUP BY 1
        """, isIdempotent: true)

    /// At most `limit` queues, by the bytes of their names.
    /// - Parameters:
    ///   - name: the queues after this one.
    ///   - prefix: only queues whose names begin with it.
    public func list(
        after name: String = "", prefix: String = "", limit: Int
    ) async throws(PostgresError) -> [QueueSummary] {
        try await summaries(try await pool.execute(Self.pageStatement(name, prefix, Int32(limit))).decode())
    }

    /// nil: no such queue exists.
    public func find(_ name: String) async throws(PostgresError) -> QueueSummary? {
        try await summaries(try await pool.execute(Self.findStatement(name)).decode()).first
    }

    private func summaries(_ rows: [QueueRow]) async throws(PostgresError) -> [QueueSummary] {
        guard !rows.isEmpty else { return [] }
        let ids = rows.map(\.id)
        var summaries = Dictionary(uniqueKeysWithValues: rows.map { ($0.id, $0.summary) })
        let depths = try await pool.execute(Self.depthStatement(ids)).decode((Int32, String, Int64).self)
        for (id, status, count) in depths {
            if let status = JobStatus(rawValue: status) { summaries[id]?.depths[status] = count }
        }
        for (id, seconds) in try await pool.execute(Self.oldestStatement(ids)).decode((Int32, Double).self) {
            summaries[id]?.oldestReadySeconds = seconds
        }
        return ids.compactMap { summaries[$0] }
    }
}

private struct QueueRow: RowDecodable {
    let id: Int32
    let summary: QueueSummary

    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        id = try columns.next()
        summary = QueueSummary(name: try columns.next(), settings: try QueueSettings(&columns))
    }
}
