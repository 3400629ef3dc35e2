public import Postgres
public import Telemetry

/// Notifies waiting workers that jobs have become ready, after the commit (`PacedNotifier`), and only while a worker
/// sleeps. A lost notification costs a worker at most one poll interval.
public struct ReadyNotifier: Sendable {
    private let notifier: PacedNotifier

    /// - Parameter pool: with the profile `.notifying`, of the loop that will call it.
    public init(pool: ConnectionPool, schema: String, logger: Logger) {
        notifier = PacedNotifier(pool: pool, channel: Self.channel(schema: schema), logger: logger)
    }

    /// The channel. The payload has the names of the queues, separated by commas.
    public static func channel(schema: String) -> String { "\(schema)_ready" }

    /// Returns at once; call it on the loop.
    public func notify(_ queues: some Sequence<String>) { notifier.notify(queues) }
}
