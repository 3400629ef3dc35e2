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
    static let report = Statement(
        "report_workloads",
        """
        WITH given AS MATERIALIZED (
            SELECT * FROM unnest($2::text[], $3::bigint[], $4::bool[], $5::int[], $6::text[])
                AS g (name, token, running, restarts, error)
            ORDER BY name COLLATE "C")
        UPDATE pool_workload w
        SET state = CASE WHEN g.running THEN 'running' ELSE 'backoff' END,
            started_at = CASE WHEN NOT g.running THEN NULL
                              WHEN w.state = 'running' AND w.restarts = g.restarts THEN w.started_at
                              ELSE clock_timestamp() END,
            restarts = g.restarts, last_error = COALESCE(g.error, w.last_error),
            last_error_at = CASE WHEN g.error IS NULL THEN w.last_error_at ELSE clock_timestamp() END
        FROM given g
        WHERE w.pool_id = $1 AND w.name = g.name AND w.token = g.token AND w.holder IS NOT NULL
        """, [.int4, .textArray, .int8Array, .boolArray, .int4Array, .textArray], isIdempotent: true)

    /// Stores reports. A report under a token that is not the workload's current one changes nothing.
    /// - Returns: the number of stored reports.
    @discardableResult
    public func report(
        _ reports: [WorkloadLease: WorkloadReport], ofPool id: Int32
    ) async throws(PostgresError) -> Int {
        let sorted = reports.sorted { $0.key.name < $1.key.name }
        var parameters = Parameters()
        parameters.append(id)
        parameters.append(sorted.map(\.key.name))
        parameters.append(sorted.map(\.key.token))
        parameters.append(sorted.map(\.value.isRunning))
        parameters.append(sorted.map(\.value.restarts))
        parameters.appendArray(of: .text) { for entry in sorted { $0.append(text: entry.value.error) } }
        return try await database.execute(Self.report, parameters).affectedRowCount
    }
}
