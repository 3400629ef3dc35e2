internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values

/// Tells the log why requests are refused for PostgreSQL's sake, in PostgreSQL's words, which clients do not hear. Not
/// with each request: an outage under load would fill the log with one line.
final class RateLimitedLog: Sendable {
    /// Between two lines.
    static let interval = Duration.seconds(5)

    private struct State {
        var next = MonotonicInstant(nanoseconds: 0)
        var unsaid = 0
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(logger: Logger) {
        self.logger = logger
    }

    /// A request has met this error.
    func note(_ error: PostgresError, at now: MonotonicInstant = .now()) {
        let unsaid = state.withLock { state -> Int? in
            guard state.next <= now else {
                state.unsaid += 1
                return nil
            }
            defer { state = State(next: now + Self.interval) }
            return state.unsaid
        }
        guard let unsaid else { return }
        logger.warning(
            "a request was refused because of PostgreSQL",
            ["error": .error(error), "others_since_the_last_line": .integer(unsaid)])
    }
}
