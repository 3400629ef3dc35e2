public import EventLoop
internal import Values

/// Listens on channels until it is closed, on a connection of its own that is reopened after a loss.
///
/// Notifications are hints: those sent while there is no connection are lost. The event `listening` is therefore
/// delivered after each connect, and its receiver must read the tables then. An idle connection is checked by a
/// periodic statement; after a rotation of the credentials, it is replaced then.
///
/// `@unchecked Sendable`, because it is confined to the thread of its loop, which its entry points check.
public final class NotificationListener: @unchecked Sendable {
    public enum Event: Sendable, Equatable {
        /// The listener is connected, for the first time or again. Earlier notifications may have been lost.
        case listening
        case notification(Notification)
        /// The connection is lost or could not be opened. The listener reconnects.
        case interrupted(reason: String)
    }

    public struct Options: Sendable {
        /// Time between two checks of the connection.
        public var pingInterval = Duration.seconds(15)
        /// Timeout of a check.
        public var pingTimeout = Duration.seconds(5)
        /// Maximum pause between two connection attempts; below 10 s.
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
    ///   - channels: one or more channels, each of up to 63 bytes.
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

    /// Starts to connect and listen.
    /// - Precondition: called once, on the loop.
    public func start() {
        loop.preconditionCurrent()
        precondition(task == nil, "the listener is already started")
        task = loop.spawn { [self] in await run() }
    }

    /// Stops listening. No further event is delivered. Idempotent.
    /// - Precondition: called on the loop.
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
                let credentials = try await credentials()
                let connection = try await connect(credentials)
                backoff.succeeded()
                onEvent(.listening)
                try await keepAlive(connection, credentials)
                closeConnection()
            } catch {
                closeConnection()
                guard !Task.isCancelled else { return }
                onEvent(.interrupted(reason: "\(error)"))
                try? await loop.sleep(for: backoff.failed(random: .random(in: 0...1)))
            }
        }
    }

    private func closeConnection() {
        connection?.close()
        connection = nil
    }

    private func connect(_ credentials: DatabaseCredentials?) async throws -> DatabaseConnection {
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

    /// Throws when the connection is lost, and returns when it must be replaced because there are other credentials. A
    /// closed socket is detected at once, a silent peer by the periodic statement.
    private func keepAlive(_ connection: DatabaseConnection, _ used: DatabaseCredentials?) async throws {
        while true {
            try await waitForClose(of: connection, atMost: options.pingInterval)
            if let reason = connection.closeReason { throw reason }
            _ = try await connection.execute(Self.ping(), timeout: options.pingTimeout)
            // If they cannot be read, the connection stays.
            if let current = try? await credentials(), current != used { return }
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
