import Postgres
public import Values

/// Time travel: the instants that a test does not want to wait for are moved into the past.
extension Fixture {
    /// Every scheduled job was due `seconds` ago.
    public func makeDue(secondsAgo seconds: Double = 1) async throws {
        try await sql(
            "UPDATE scheduled SET run_at = clock_timestamp() - make_interval(secs => $1)", Self.parameters(seconds))
    }

    /// Every lease expires in `seconds`: by default it expired a second ago.
    public func expireLeases(inSeconds seconds: Double = -1) async throws {
        try await sql(
            "UPDATE lease SET expires_at = clock_timestamp() + make_interval(secs => $1)", Self.parameters(seconds))
    }

    /// The leases of these jobs expired a second ago.
    public func expireLeases(of ids: [UUID]) async throws {
        var parameters = Parameters()
        parameters.append(ids)
        try await sql(
            "UPDATE lease SET expires_at = clock_timestamp() - interval '1 s' WHERE id = ANY ($1)", parameters)
    }

    /// The heartbeats of every worker stopped so long ago that it is considered dead.
    public func expireWorkers() async throws {
        try await sql("UPDATE worker SET expires_at = clock_timestamp() - interval '1 s', dead_after = -1")
    }

    /// The same of this worker.
    public func expireWorker(_ id: Int64) async throws {
        var parameters = Parameters()
        parameters.append(id)
        try await sql(
            "UPDATE worker SET expires_at = clock_timestamp() - interval '1 s', dead_after = -1 WHERE id = $1",
            parameters)
    }

    /// Every idempotency key, except this one, was used a day before.
    public func ageIdempotencyKeys(except key: String = "") async throws {
        var parameters = Parameters()
        parameters.append(text: key)
        try await sql(
            "UPDATE idempotency_key SET created_at = created_at - interval '24 hours' WHERE key <> $1", parameters)
    }

    /// Every pool has been seen with its members of now for `seconds` longer.
    public func agePools(seconds: Double) async throws {
        try await sql(
            "UPDATE pool SET observed_since = observed_since - make_interval(secs => $1)", Self.parameters(seconds))
    }

    /// The last start under every rate limit was `seconds` earlier.
    public func ageRates(seconds: Double) async throws {
        try await sql(
            "UPDATE queue_rate SET spent_until = spent_until - make_interval(secs => $1)", Self.parameters(seconds))
    }

    /// Every pause with an end ended a second ago.
    public func endPauses() async throws {
        try await sql("UPDATE pause_state SET resume_at = clock_timestamp() - interval '1 s'")
    }

    /// Every retired subqueue was retired `hours` earlier.
    public func ageRetiredSubqueues(hours: Double) async throws {
        try await sql(
            "UPDATE subqueue SET retired_at = retired_at - make_interval(secs => $1)", Self.parameters(hours * 3_600))
    }

    private static func parameters(_ seconds: Double) -> Parameters {
        var parameters = Parameters()
        parameters.append(seconds)
        return parameters
    }
}
