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

    /// For a worker: it notifies the others, if one of them waits.
    /// - Parameter worker: the id of this one, at the moment.
    public init(
        pool: ConnectionPool, schema: String, from worker: @escaping @Sendable () -> Int64, logger: Logger
    ) {
        notifier = PacedNotifier(
            pool: pool, channel: Self.channel(schema: schema), sender: WaitingOthers(pool: pool, worker: worker),
            logger: logger)
    }

    /// The channel. The payload has the names of the queues, separated by commas; one with changed limits is marked.
    public static func channel(schema: String) -> String { "\(schema)_ready" }

    /// Returns at once; call it on the loop.
    public func notify(_ queues: some Sequence<String>) { notifier.notify(queues) }

    /// Waits until everything is sent, or the task is cancelled. Call it on the loop.
    public func drain() async { await notifier.drain() }

    /// The limits of a queue have changed. Returns at once; call it on the loop.
    func notifyOfLimits(_ queue: String) {
        notifier.notify(CollectionOfOne(QueueSignal(queue: queue, hasNewLimits: true).text))
    }
}

/// Notifies only if another worker waits.
private struct WaitingOthers: NotificationSender {
    let pool: ConnectionPool
    let worker: @Sendable () -> Int64

    private static let statement = Statement<String, String, Int64>(
        "notify_other_workers",
        """
        SELECT pg_notify($1, $2)
        WHERE EXISTS (SELECT FROM worker WHERE waiting AND expires_at > clock_timestamp() AND id <> $3)
        """, isIdempotent: true)

    func notify(_ channel: String, _ payload: String) async throws(PostgresError) {
        _ = try await pool.execute(Self.statement(channel, payload, worker()))
    }
}

/// What a notification says of a queue.
public struct QueueSignal: Hashable, Sendable {
    public let queue: String
    /// Its limits have changed; otherwise it may have jobs to start.
    public let hasNewLimits: Bool

    /// No character of a queue's name.
    private static let mark: Character = "!"

    init(queue: String, hasNewLimits: Bool) {
        self.queue = queue
        self.hasNewLimits = hasNewLimits
    }

    /// Reads one element of a payload.
    public init(_ text: Substring) {
        hasNewLimits = text.first == Self.mark
        queue = String(hasNewLimits ? text.dropFirst() : text)
    }

    var text: String { hasNewLimits ? "\(Self.mark)\(queue)" : queue }
}
