public import EventLoop
internal import Synchronization
public import Telemetry
internal import Values

/// The exit statuses of a program. 64 (EX_USAGE) and 78 (EX_CONFIG) are `UsageError.exitStatus` and
/// `ConfigurationFailure.exitStatus`.
public enum ExitStatus {
    public static let success: Int32 = 0
    public static let failure: Int32 = 1
}

/// What all services of a process share.
public final class ProcessContext: Sendable {
    /// The loop of the main thread.
    public let loop: Loop
    public let logger: Logger
    public let status = ProcessStatus()
    public let reachability: Reachability
    private let actions = Mutex(Actions())

    private struct Actions {
        var hangUp: (@Sendable () -> Void)?
        var end: (@Sendable (Int32) -> Void)?
    }

    /// Between two checks of a condition that a start waits for.
    private static let pollInterval = Duration.seconds(1)

    public init(on loop: Loop, logger: Logger) {
        self.loop = loop
        self.logger = logger
        reachability = Reachability(logger: logger)
    }

    /// Calls `action` on the loop at each SIGHUP. The program must declare that it takes the signal.
    public func onHangUp(_ action: @escaping @Sendable () -> Void) {
        actions.withLock { $0.hangUp = action }
    }

    func hangUp() {
        actions.withLock { $0.hangUp }?()
    }

    func onEnd(_ action: @escaping @Sendable (Int32) -> Void) {
        actions.withLock { $0.end = action }
    }

    /// Begins the drain: the process ends with this exit status. Call it on the loop.
    func end(_ status: Int32) {
        actions.withLock { $0.end }?(status)
    }

    /// Waits, for the start of a service, until there is no obstacle. Each change of the obstacle is one log line, and
    /// the status shows it. Throws `CancellationError` when the drain begins.
    /// - Parameters:
    ///   - message: of the log line: "waiting for the schema".
    ///   - obstacle: why the service cannot start; nil when it can.
    public func wait(_ message: String, until obstacle: @Sendable () async -> String?) async throws {
        var logged: String?
        while let reason = await obstacle() {
            try Task.checkCancellation()
            if reason != logged { logger.warning(message, ["reason": .string(reason)]) }
            logged = reason
            status.became(.waiting(reason))
            try await loop.sleep(for: Self.pollInterval)
        }
        try Task.checkCancellation()
    }
}
