internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values

/// Logs the errors of PostgreSQL for which requests are refused, with the message that clients do not get. At most one
/// line in 5 s: an outage under load would fill the log.
final class RateLimitedLog: Sendable {
    /// The shortest time between two lines.
    static let interval = Duration.seconds(5)

    private struct State {
        var next = MonotonicInstant(nanoseconds: 0)
        var suppressed = 0
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(logger: Logger) {
        self.logger = logger
    }

    /// Logs or counts the error of a request.
    func note(_ error: PostgresError, at now: MonotonicInstant = .now()) {
        let suppressed = state.withLock { state -> Int? in
            guard state.next <= now else {
                state.suppressed += 1
                return nil
            }
            defer { state = State(next: now + Self.interval) }
            return state.suppressed
        }
        guard let suppressed else { return }
        logger.warning(
            "a request was refused because of PostgreSQL",
            ["error": .error(error), "suppressed": .integer(suppressed)])
    }
}
