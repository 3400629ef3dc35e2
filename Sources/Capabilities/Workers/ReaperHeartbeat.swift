public import Postgres

/// When a reaper last worked. All reapers share one row: they share the work, so it does not matter which one it was.
extension WorkerRegistry {
    private static let recordReaperHeartbeatStatement = Statement(
        "record_reaper_heartbeat", "UPDATE reaper_heartbeat SET at = clock_timestamp() WHERE is_only",
        isIdempotent: true)

    /// Records that a reaper works now.
    public func recordReaperHeartbeat() async throws(PostgresError) {
        _ = try await pool.execute(Self.recordReaperHeartbeatStatement())
    }

    private static let reaperHeartbeatAgeStatement = Statement(
        "reaper_heartbeat_age",
        "SELECT GREATEST(0, extract(epoch FROM clock_timestamp() - at))::float8 FROM reaper_heartbeat WHERE is_only",
        isIdempotent: true)

    /// Seconds since the last heartbeat of a reaper; before the first one, since the schema was created.
    public func secondsSinceReaperHeartbeat() async throws(PostgresError) -> Double {
        try await pool.execute(Self.reaperHeartbeatAgeStatement()).decodeOnly()
    }
}
