internal import EventLoop
public import Postgres
internal import Synchronization
public import Telemetry

/// Tells waiting workers that jobs have become ready, after the commit that made them so.
///
/// NOTIFY takes a lock over the whole cluster until its commit. So it never travels in the transaction that inserts
/// jobs, it is sent only while some worker sleeps, and on average at most once in 10 ms: what becomes ready meanwhile
/// shares the next one. A few may follow each other at once, so that jobs which come now and then never wait for each
/// other. Losing one costs a worker at most one poll interval.
public final class ReadyNotifier: Sendable {
    /// The names of one notification, below PostgreSQL's 8,000 bytes.
    private static let payloadBytesMax = 7_000

    private struct State {
        var queues: Set<String> = []
        var isSending = false
        var pace = NotifyPace()
    }

    private let loop: Loop
    private let notifier: Notifier
    private let channel: String
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameter pool: with the profile `.notifying`, of `loop`.
    public init(pool: DatabasePool, schema: String, logger: Logger) {
        loop = pool.loop
        notifier = Notifier(pool: pool)
        channel = Self.channel(schema: schema)
        self.logger = logger
    }

    /// What workers listen on. The payload names the queues, separated by commas.
    public static func channel(schema: String) -> String { "\(schema)_ready" }

    /// Returns at once; call it on the loop.
    public func notify(_ queues: some Sequence<String>) {
        let mustStart = state.withLock { state in
            state.queues.formUnion(queues)
            defer { state.isSending = state.isSending || !state.queues.isEmpty }
            return !state.isSending && !state.queues.isEmpty
        }
        guard mustStart else { return }
        loop.spawn { await self.send() }
    }

    private func send() async {
        while let payload = nextPayload() {
            do throws(PostgresError) {
                try await notifier.notify(channel, payload)
            } catch {
                logger.debug("workers were not notified; they will poll", ["error": .error(error)])
            }
            let instant = state.withLock { $0.pace.sent(at: .now()) }
            if let instant { try? await loop.sleep(until: instant) }
        }
    }

    /// nil, and not sending any more, when there is nothing left to tell.
    private func nextPayload() -> String? {
        state.withLock { state in
            var payload = ""
            while payload.utf8.count < Self.payloadBytesMax, let queue = state.queues.popFirst() {
                payload += payload.isEmpty ? queue : "," + queue
            }
            state.isSending = !payload.isEmpty
            return payload.isEmpty ? nil : payload
        }
    }
}

/// How soon one notification may follow another: a token bucket, pure.
struct NotifyPace {
    /// What a notification costs; on average they are no closer.
    static let interval = Duration.milliseconds(10)
    /// So many may be sent at once after a quiet time.
    static let burst = 8

    /// Until when notifications have been paid for.
    private var paidUntil = MonotonicInstant(nanoseconds: 0)

    /// One was sent. The instant before which the next must not be; nil: it may follow at once.
    mutating func sent(at now: MonotonicInstant) -> MonotonicInstant? {
        paidUntil = max(paidUntil, now) + Self.interval
        let next = paidUntil - Self.interval * Self.burst
        return next > now ? next : nil
    }
}
