/// Sends `NOTIFY`.
///
/// Not within the transaction that the notification announces: NOTIFY holds a cluster-wide lock until the commit, so
/// that such commits wait for each other. A separate pool with the profile `.notifying` keeps the lock short, because
/// its commits do not wait for the disk.
public struct Notifier: Sendable {
    private let pool: ConnectionPool

    private static let statement = Statement<String, String>(
        "notify", "SELECT pg_notify($1, $2)", isIdempotent: true)

    /// - Parameter pool: a pool with the profile `.notifying`; one connection suffices.
    public init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Sends a notification.
    /// - Parameters:
    ///   - channel: up to 63 bytes.
    ///   - payload: fewer than 8,000 bytes.
    public func notify(_ channel: String, _ payload: String = "") async throws(PostgresError) {
        _ = try await pool.execute(Self.statement(channel, payload))
    }
}
