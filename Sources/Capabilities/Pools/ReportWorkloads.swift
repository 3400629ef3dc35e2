public import Postgres

/// A holder's report on the process of a workload.
public struct WorkloadReport: Hashable, Sendable {
    /// Whether the process runs; false: it restarts after a pause.
    public var isRunning: Bool
    /// Number of restarts under this lease.
    public var restarts: Int32
    /// The reason for the end of the last process; nil: the stored one stays.
    public var error: String?

    public init(isRunning: Bool, restarts: Int32, error: String? = nil) {
        self.isRunning = isRunning
        self.restarts = restarts
        self.error = error
    }
}

extension PoolStore {
    static let report = Statement<Int32, Batch<WorkloadReportColumns>>(
        "report_workloads",
        """
        WITH given AS MATERIALIZED (
            SELECT g.*
            FROM (SELECT * FROM \(sql: WorkloadReportColumns.columns.unnest(from: 2)) ORDER BY name COLLATE "C") g
            CROSS JOIN LATERAL (
                SELECT FROM pool_workload WHERE pool_id = $1 AND name = g.name FOR NO KEY UPDATE SKIP LOCKED) w),
        stored AS (
            UPDATE pool_workload w
            SET state = CASE WHEN g.running THEN 'running' ELSE 'backoff' END,
                started_at = CASE WHEN NOT g.running THEN NULL
                                  WHEN w.state = 'running' AND w.restarts = g.restarts THEN w.started_at
                                  ELSE clock_timestamp() END,
                restarts = g.restarts, last_error = COALESCE(g.error, w.last_error),
                last_error_at = CASE WHEN g.error IS NULL THEN w.last_error_at ELSE clock_timestamp() END
            FROM given g
            WHERE w.pool_id = $1 AND w.name = g.name AND w.token = g.token AND w.holder IS NOT NULL
            RETURNING w.name)
        SELECT w.name, w.token, false AS locked
        FROM stored s JOIN pool_workload w ON w.pool_id = $1 AND w.name = s.name
        UNION ALL
        SELECT w.name, w.token, true
        FROM \(sql: WorkloadReportColumns.columns.unnest("name", "token", from: 2))
        JOIN pool_workload w ON w.pool_id = $1 AND w.name = g.name AND w.token = g.token
        WHERE w.holder IS NOT NULL AND w.name NOT IN (SELECT name FROM given)
        """, isIdempotent: true)

    /// Stores reports. A report under a token that is not the workload's current one changes nothing.
    /// - Returns: which reports are stored, and which are not because another transaction, such as a renewal, has
    ///   locked their workloads at this instant. They are to be stored again.
    @discardableResult
    public func report(
        _ reports: [WorkloadLease: WorkloadReport], ofPool id: Int32
    ) async throws(PostgresError) -> (stored: [WorkloadLease], locked: [WorkloadLease]) {
        let sorted = reports.sorted { $0.key.name < $1.key.name }
        var answer: (stored: [WorkloadLease], locked: [WorkloadLease]) = ([], [])
        for row in try await database.execute(Self.report(id, Batch(sorted))).decode((WorkloadLease, Bool).self) {
            if row.1 { answer.locked.append(row.0) } else { answer.stored.append(row.0) }
        }
        return answer
    }
}

enum WorkloadReportColumns: BatchColumns {
    static let columns = ColumnBatch<(key: WorkloadLease, value: WorkloadReport)>([
        .text("name") { $0.key.name },
        .int8("token") { $0.key.token },
        .bool("running") { $0.value.isRunning },
        .int4("restarts") { $0.value.restarts },
        .text("error") { $0.value.error },
    ])
}
