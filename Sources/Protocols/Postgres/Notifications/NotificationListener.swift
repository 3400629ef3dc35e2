public import EventLoop
internal import Values

/// Listens on channels, on a connection of its own, for as long as it is not closed.
///
/// Notifications are hints: those sent while the connection was away are gone. So each time it listens anew it says so,
/// and whoever depends on them looks at the tables then. A connection that is silent is asked for a sign of life.
///
/// Why `@unchecked Sendable`: confined to its loop's thread, which every submitter checks.
public final class NotificationListener: @unchecked Sendable {
    public enum Event: Sendable, Equatable {
        /// It listens now, for the first time or again: what was sent before may have been missed.
        case listening
        case notification(Notification)
        /// It no longer listens, and tries to.
        case interrupted(reason: String)
    }

    /// How it behaves.
    public struct Options: Sendable {
        /// Between two signs of life.
        public var pingInterval = Duration.seconds(15)
        /// How long a sign of life may take.
        public var pingTimeout = Duration.seconds(5)
        /// The longest pause between two attempts to connect; below 10 s.
        public var reconnectPauseMax = Duration.seconds(5)

        public init() {}
    }

    private let settings: DatabaseSettings
    private let channels: [String]
    private let loop: Loop
    private let options: Options
    private let credentials: ConnectionPool.CredentialsProvider
    private let onEvent: @Sendable (Event) -> Void

    private var task: Task<Void, Never>?
    private var connection: DatabaseConnection?

    private static let ping = Statement("ping", "SELECT 1", isIdempotent: true)

    /// - Parameters:
    ///   - channels: at least one; each at most 63 bytes.
    ///   - onEvent: called on the loop, in order.
    public init(
        _ settings: DatabaseSettings, channels: [String], on loop: Loop, options: Options = Options(),
        credentials: @escaping ConnectionPool.CredentialsProvider = { nil },
        onEvent: @escaping @Sendable (Event) -> Void
    ) {
        self.settings = settings
        self.channels = channels
        self.loop = loop
        self.options = options
        self.credentials = credentials
        self.onEvent = onEvent
    }

    /// Begins to connect. Call it on the loop, once.
    public func start() {
        loop.preconditionCurrent()
        precondition(task == nil, "a listener is started once")
        task = loop.spawn { [self] in await run() }
    }

    /// After it no event is delivered. Call it on the loop. Idempotent.
    public func close() {
        loop.preconditionCurrent()
        task?.cancel()
        connection?.onNotification = nil
        connection?.close()
    }

    private func run() async {
        var backoff = CappedBackoff(first: .milliseconds(50), cap: options.reconnectPauseMax)
        while !Task.isCancelled {
            do {
                let connection = try await connect()
                backoff.succeeded()
                onEvent(.listening)
                try await keepAlive(connection)
            } catch {
                connection?.close()
                connection = nil
                guard !Task.isCancelled else { return }
                onEvent(.interrupted(reason: "\(error)"))
                try? await loop.sleep(for: backoff.failed(random: .random(in: 0...1)))
            }
        }
    }

    private func connect() async throws -> DatabaseConnection {
        let credentials = try await credentials()
        let connection = try await DatabaseConnection.connect(settings, credentials: credentials, on: loop)
        guard !Task.isCancelled else {
            connection.close()
            throw CancellationError()
        }
        self.connection = connection
        connection.onNotification = { [onEvent] in onEvent(.notification($0)) }
        for channel in channels {
            _ = try await connection.execute(sql: "LISTEN \(SQLIdentifier.quoted(channel))")
        }
        return connection
    }

    /// Returns never, and throws when the connection is lost. A loss that shows on the socket is noticed at once, a
    /// peer that went silent by the sign of life.
    private func keepAlive(_ connection: DatabaseConnection) async throws {
        while true {
            try await waitForClose(of: connection, atMost: options.pingInterval)
            if let reason = connection.closeReason { throw reason }
            _ = try await connection.execute(Self.ping, timeout: options.pingTimeout)
        }
    }

    private func waitForClose(of connection: DatabaseConnection, atMost duration: Duration) async throws {
        guard connection.isOpen else { return }
        let sleeper = loop.spawn { [loop] in try? await loop.sleep(for: duration) }
        connection.onClose = { _ in sleeper.cancel() }
        await sleeper.value
        try Task.checkCancellation()
    }
}
