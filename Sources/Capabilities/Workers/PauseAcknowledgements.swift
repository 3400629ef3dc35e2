public import Postgres

/// Acknowledgements of the pause state: which version of it each worker has applied.
extension WorkerRegistry {
    /// The channel that an acknowledgement notifies. The payload is the version.
    public static func acknowledgementChannel(schema: String) -> String { "\(schema)_pause_ack" }

    private static let acknowledgeStatement = Statement<Int64, Int64, Int32>(
        "acknowledge_pause_state",
        """
        UPDATE worker SET pause_version = $2, running = $3
        WHERE id = $1 AND pause_version < $2 AND deregistered_at IS NULL
        RETURNING id
        """, isIdempotent: true)

    /// Sent after the acknowledgement, in a commit that does not wait for the disk: NOTIFY holds a cluster-wide lock
    /// until its commit ends, and all workers acknowledge a change at the same time.
    private static let notifyStatement = Statement<String>(
        "notify_pause_acknowledged",
        """
        SELECT set_config('synchronous_commit', 'off', true), pg_notify(current_schema() || '_pause_ack', $1)
        """, isIdempotent: true)

    /// Records that the worker has applied every change of the pause state up to `version`, and how many jobs it still
    /// runs; then notifies the processes that wait for it. A lost notification only makes them wait longer.
    public func acknowledge(id: Int64, pauseVersion version: Int64, running: Int32) async throws(PostgresError) {
        guard try await !pool.execute(Self.acknowledgeStatement(id, version, running)).isEmpty else { return }
        _ = try await pool.execute(Self.notifyStatement(String(version)))
    }

    private static let lowestStatement = Statement(
        "lowest_acknowledged_pause",
        """
        SELECT COALESCE(min(pause_version), 9223372036854775807)
        FROM worker WHERE deregistered_at IS NULL AND expires_at > clock_timestamp()
        """, isIdempotent: true)

    /// The version that every live worker has acknowledged; `Int64.max` if there is no live worker.
    public func lowestAcknowledgedVersion() async throws(PostgresError) -> Int64 {
        try await pool.execute(Self.lowestStatement()).decodeOnly()
    }
}
