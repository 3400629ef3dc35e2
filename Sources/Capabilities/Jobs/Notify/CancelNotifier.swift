public import Postgres
public import Telemetry

/// Notifies workers of cancel requests for their jobs, after the commit (`PacedNotifier`). A lost notification costs at
/// most the worker's poll interval.
public struct CancelNotifier: Sendable {
    private let notifier: PacedNotifier

    /// - Parameter pool: with the profile `.notifying`, of the loop that will call it.
    public init(pool: ConnectionPool, schema: String, logger: Logger) {
        notifier = PacedNotifier(pool: pool, channel: Self.channel(schema: schema), logger: logger)
    }

    /// The channel. The payload has the ids of the workers, separated by commas.
    public static func channel(schema: String) -> String { "\(schema)_cancel" }

    /// Returns at once; call it on the loop.
    func notify(_ workers: some Sequence<Int64>) { notifier.notify(workers.lazy.map { "\($0)" }) }
}
