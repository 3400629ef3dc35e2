public import Postgres

/// When a reaper last worked. All reapers share one row: they share the work, so it does not matter which one it was.
extension WorkerRegistry {
    private static let recordReaperHeartbeatStatement = Statement<Double>(
        "record_reaper_heartbeat",
        """
        UPDATE reaper_heartbeat
        SET at = m.at,
            liveness_seconds = liveness_seconds
                + GREATEST(0, LEAST($1, extract(epoch FROM m.at - reaper_heartbeat.at)::float8))
        FROM (SELECT clock_timestamp() AS at OFFSET 0) m
        WHERE is_only
        """, isIdempotent: true)

    /// The longest time between two heartbeats of reapers that counts on the liveness clock.
    static let livenessStepMax = 3.0

    /// Records that a reaper works now, and advances the liveness clock by the time since the last record.
    public func recordReaperHeartbeat() async throws(PostgresError) {
        _ = try await pool.execute(Self.recordReaperHeartbeatStatement(Self.livenessStepMax))
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
