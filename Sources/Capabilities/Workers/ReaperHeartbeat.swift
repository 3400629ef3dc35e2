public import Postgres

/// When a reaper was last at work. Which one does not matter: they share it, and nothing but the sum of them shows.
extension WorkerRegistry {
    private static let recordReaperHeartbeatStatement = Statement(
        "record_reaper_heartbeat", "UPDATE reaper_heartbeat SET at = clock_timestamp() WHERE is_only",
        isIdempotent: true)

    /// Says that a reaper goes its rounds.
    public func recordReaperHeartbeat() async throws(PostgresError) {
        _ = try await pool.execute(Self.recordReaperHeartbeatStatement)
    }

    private static let reaperHeartbeatAgeStatement = Statement(
        "reaper_heartbeat_age",
        "SELECT GREATEST(0, extract(epoch FROM clock_timestamp() - at))::float8 FROM reaper_heartbeat WHERE is_only",
        isIdempotent: true)

    /// How long ago a reaper last said so, in seconds; before the first has, since the schema was made.
    public func secondsSinceReaperHeartbeat() async throws(PostgresError) -> Double {
        try await pool.execute(Self.reaperHeartbeatAgeStatement).onlyRow().float8(0)
    }
}
