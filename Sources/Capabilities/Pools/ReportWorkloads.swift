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
                SELECT FROM pool_workload WHERE pool_id = $1 AND name = g.name FOR NO KEY UPDATE SKIP LOCKED) w)
        UPDATE pool_workload w
        SET state = CASE WHEN g.running THEN 'running' ELSE 'backoff' END,
            started_at = CASE WHEN NOT g.running THEN NULL
                              WHEN w.state = 'running' AND w.restarts = g.restarts THEN w.started_at
                              ELSE clock_timestamp() END,
            restarts = g.restarts, last_error = COALESCE(g.error, w.last_error),
            last_error_at = CASE WHEN g.error IS NULL THEN w.last_error_at ELSE clock_timestamp() END
        FROM given g
        WHERE w.pool_id = $1 AND w.name = g.name AND w.token = g.token AND w.holder IS NOT NULL
        """, isIdempotent: true)

    /// Stores reports. A report under a token that is not the workload's current one changes nothing, nor does one of a
    /// workload that another transaction has locked.
    /// - Returns: the number of stored reports.
    @discardableResult
    public func report(
        _ reports: [WorkloadLease: WorkloadReport], ofPool id: Int32
    ) async throws(PostgresError) -> Int {
        let sorted = reports.sorted { $0.key.name < $1.key.name }
        return try await database.execute(Self.report(id, Batch(sorted))).affectedRowCount
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
