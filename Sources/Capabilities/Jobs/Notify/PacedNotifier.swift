internal import EventLoop
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values

/// Tells names on a channel of NOTIFY, after the commit of what they are told for.
///
/// NOTIFY takes a lock over the whole cluster until its commit. So it never travels in the transaction that it tells of,
/// and on average it is sent at most once in 10 ms: names that come meanwhile share the next one. A few may follow each
/// other at once, so that what comes now and then never waits for each other.
final class PacedNotifier: Sendable {
    /// The names of one notification, below PostgreSQL's 8,000 bytes.
    private static let payloadBytesMax = 7_000

    private struct State {
        var names: Set<String> = []
        var isSending = false
        var pace = NotifyPace()
    }

    private let loop: Loop
    private let notifier: Notifier
    private let channel: String
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameter pool: with the profile `.notifying`.
    init(pool: ConnectionPool, channel: String, logger: Logger) {
        loop = pool.loop
        notifier = Notifier(pool: pool)
        self.channel = channel
        self.logger = logger
    }

    /// Returns at once; call it on the loop of the pool.
    func notify(_ names: some Sequence<String>) {
        let mustStart = state.withLock { state in
            state.names.formUnion(names)
            defer { state.isSending = state.isSending || !state.names.isEmpty }
            return !state.isSending && !state.names.isEmpty
        }
        guard mustStart else { return }
        loop.spawn { await self.send() }
    }

    private func send() async {
        while let payload = nextPayload() {
            do throws(PostgresError) {
                try await notifier.notify(channel, payload)
            } catch {
                let fields: LogFields = ["channel": .string(channel), "error": .error(error)]
                logger.debug("workers were not notified; they will poll", fields)
            }
            let instant = state.withLock { $0.pace.sent(at: .now()) }
            if let instant { try? await loop.sleep(until: instant) }
        }
    }

    /// nil, and not sending any more, when there is nothing left to tell.
    private func nextPayload() -> String? {
        state.withLock { state in
            var payload = ""
            while payload.utf8.count < Self.payloadBytesMax, let name = state.names.popFirst() {
                payload += payload.isEmpty ? name : "," + name
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
