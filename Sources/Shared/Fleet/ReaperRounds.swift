public import Postgres

/// When a reaper was last at work. Which one does not matter: they share it, and nothing but the sum of them shows.
extension WorkerRegistry {
    private static let noteRoundStatement = Statement(
        "note_reaper_round", "UPDATE reaper_round SET at = clock_timestamp() WHERE is_only", isIdempotent: true)

    /// Says that a reaper goes its rounds.
    public func noteRound() async throws(PostgresError) {
        _ = try await pool.execute(Self.noteRoundStatement)
    }

    private static let roundAgeStatement = Statement(
        "reaper_round_age",
        "SELECT GREATEST(0, extract(epoch FROM clock_timestamp() - at))::float8 FROM reaper_round WHERE is_only",
        isIdempotent: true)

    /// How long ago a reaper last said so, in seconds; before the first has, since the schema was made.
    public func secondsSinceRound() async throws(PostgresError) -> Double {
        try await pool.execute(Self.roundAgeStatement).onlyRow().float8(0)
    }
}
