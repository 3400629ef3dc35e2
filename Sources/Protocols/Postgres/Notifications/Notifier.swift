/// Sends `NOTIFY`.
///
/// Never within the transaction that it tells about: NOTIFY takes a lock over the whole cluster until the commit, which
/// makes commits wait for each other. A pool of its own, with the profile `.notifying`, keeps that lock short, since
/// such a commit does not wait for the disk.
public struct Notifier: Sendable {
    private let pool: ConnectionPool

    private static let statement = Statement<String, String>(
        "notify", "SELECT pg_notify($1, $2)", isIdempotent: true)

    /// - Parameter pool: with `SessionProfile.notifying`; one connection is enough.
    public init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// - Parameters:
    ///   - channel: at most 63 bytes.
    ///   - payload: less than 8,000 bytes.
    public func notify(_ channel: String, _ payload: String = "") async throws(PostgresError) {
        _ = try await pool.execute(Self.statement(channel, payload))
    }
}
