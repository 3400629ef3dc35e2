public import EventLoop
public import Postgres
internal import Synchronization
public import Values
public import Workers

/// Waits until every live worker has acknowledged a change. One for the process, however many calls wait.
///
/// While calls wait, a task on one loop reads the lowest version that all live workers have acknowledged, and ends the
/// calls that waited for it or for less. It reads after a notification, and once in a while, since notifications are
/// hints: they may be lost, and a worker that dies sends none. Notifications that arrive while it reads or rests share
/// the next read, so that a thousand workers cost a few dozen.
///
/// The connection that listens exists only while calls wait.
public final class AcknowledgementWaiter: Sendable {
    public struct Options: Sendable {
        /// The longest time between two reads.
        public var fallbackInterval = Duration.seconds(1)
        /// The shortest time between two reads.
        public var restTime = Duration.milliseconds(20)

        public init() {}
    }

    private struct Waiting {
        let version: Int64
        let deadline: MonotonicInstant
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var waiting: [Waiting] = []
        var isRunning = false
    }

    private let settings: DatabaseSettings
    private let credentials: ConnectionPool.CredentialsProvider
    private let loop: Loop
    private let options: Options
    private let readLowest: @Sendable () async throws(PostgresError) -> Int64
    private let signal: WakeSignal
    private let state = Mutex(State())

    /// - Parameters:
    ///   - settings: of the connection that listens.
    ///   - workers: on `loop`.
    public convenience init(
        _ settings: DatabaseSettings, credentials: @escaping ConnectionPool.CredentialsProvider = { nil },
        workers: WorkerRegistry, on loop: Loop, options: Options = Options()
    ) {
        self.init(settings, credentials: credentials, on: loop, options: options) { () throws(PostgresError) in
            try await workers.lowestAcknowledgedVersion()
        }
    }

    /// - Parameter readLowest: reads the lowest acknowledged version. Called on `loop`.
    init(
        _ settings: DatabaseSettings, credentials: @escaping ConnectionPool.CredentialsProvider = { nil },
        on loop: Loop, options: Options, readLowest: @escaping @Sendable () async throws(PostgresError) -> Int64
    ) {
        var settings = settings
        settings.applicationName += " listening"
        self.settings = settings
        self.credentials = credentials
        self.loop = loop
        self.options = options
        self.readLowest = readLowest
        signal = WakeSignal(on: loop)
    }

    /// Returns when every live worker has acknowledged `version`, or at the deadline. Any thread may call it. While
    /// PostgreSQL cannot be read, it goes on waiting.
    public func wait(for version: Int64, until deadline: MonotonicInstant) async {
        await withCheckedContinuation { continuation in
            let mustStart = state.withLock { state in
                state.waiting.append(Waiting(version: version, deadline: deadline, continuation: continuation))
                defer { state.isRunning = true }
                return !state.isRunning
            }
            loop.execute { [self] in
                if mustStart { loop.spawn { await self.run() } } else { signal.wake() }
            }
        }
    }

    /// Runs while calls wait.
    private func run() async {
        var listener: NotificationListener?
        defer { listener?.close() }
        while true {
            let lowest = try? await readLowest()
            guard let next = endCalls(lowest: lowest ?? Int64.min) else { return }
            if listener == nil { listener = listen() }
            // Notifications that arrive meanwhile are kept by the signal.
            try? await loop.sleep(for: options.restTime)
            await signal.wait(until: min(next, .now() + options.fallbackInterval))
        }
    }

    /// Ends the calls whose version is acknowledged or whose deadline has passed. Returns the next deadline; nil if no
    /// call waits, and the task must end.
    private func endCalls(lowest: Int64) -> MonotonicInstant? {
        let now = MonotonicInstant.now()
        let (ended, next) = state.withLock { state in
            let ended = state.waiting.filter { $0.version <= lowest || $0.deadline <= now }
            state.waiting.removeAll { $0.version <= lowest || $0.deadline <= now }
            state.isRunning = !state.waiting.isEmpty
            return (ended, state.waiting.map(\.deadline).min())
        }
        for call in ended { call.continuation.resume() }
        return next
    }

    private func listen() -> NotificationListener {
        let listener = NotificationListener(
            settings, channels: [WorkerRegistry.acknowledgementChannel(schema: settings.schema)], on: loop,
            credentials: credentials
        ) { [signal] event in
            switch event {
            // Acknowledgements from before are not notified.
            case .listening, .notification: signal.wake()
            case .interrupted: break
            }
        }
        listener.start()
        return listener
    }
}
