internal import EventLoop
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values

/// Sends names on a channel of NOTIFY, after the commit that they belong to.
///
/// NOTIFY takes a cluster-wide lock until its commit. So it is never part of the transaction that it announces, and on
/// average it is sent at most once in 10 ms: names that arrive meanwhile share the next notification. A few
/// notifications may follow each other at once, so that occasional names do not wait.
final class PacedNotifier: Sendable {
    /// Maximum size of the names in one notification, below PostgreSQL's limit of 8,000 bytes.
    private static let payloadBytesMax = 7_000

    private struct State {
        var names: Set<String> = []
        var isSending = false
        var pace = NotifyPace()
    }

    private let loop: Loop
    private let sender: any NotificationSender
    private let channel: String
    private let logger: Logger
    private let state = Mutex(State())
    /// Sent when nothing is left to send.
    private let idle: WakeSignal

    /// - Parameters:
    ///   - pool: with the profile `.notifying`.
    ///   - sender: nil: a notification goes to all that listen.
    init(pool: ConnectionPool, channel: String, sender: (any NotificationSender)? = nil, logger: Logger) {
        loop = pool.loop
        idle = WakeSignal(on: pool.loop)
        self.sender = sender ?? Notifier(pool: pool)
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
                try await sender.notify(channel, payload)
            } catch {
                let fields: LogFields = ["channel": .string(channel), "error": .error(error)]
                logger.debug("cannot notify workers; they poll instead", fields)
            }
            let instant = state.withLock { $0.pace.sent(at: .now()) }
            if let instant { try? await loop.sleep(until: instant) }
        }
        idle.wake()
    }

    /// Waits until everything is sent, or the task is cancelled. Call it on the loop, from one task at a time.
    func drain() async {
        while state.withLock({ $0.isSending }), await idle.waitUnlessCancelled() {}
    }

    /// nil, and no longer sending, when no name is left.
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

/// Sends one notification.
protocol NotificationSender: Sendable {
    func notify(_ channel: String, _ payload: String) async throws(PostgresError)
}

extension Notifier: NotificationSender {}

/// How soon one notification may follow another: a token bucket, pure.
struct NotifyPace {
    /// The average time between two notifications.
    static let interval = Duration.milliseconds(10)
    /// Number of notifications that may be sent at once after a quiet time.
    static let burst = 8

    /// The instant until which the notifications sent so far use up the average.
    private var paidUntil = MonotonicInstant(nanoseconds: 0)

    /// Records a notification. Returns the earliest instant for the next one; nil: at once.
    mutating func sent(at now: MonotonicInstant) -> MonotonicInstant? {
        paidUntil = max(paidUntil, now) + Self.interval
        let next = paidUntil - Self.interval * Self.burst
        return next > now ? next : nil
    }
}
