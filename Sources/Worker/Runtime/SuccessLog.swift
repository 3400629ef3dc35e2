internal import Synchronization
internal import Telemetry
internal import Values

/// Logs jobs that have succeeded: a line for each, up to ten lines a second, and then how many there were besides.
/// A worker may end twenty thousand jobs a second.
final class SuccessLog: Sendable {
    static let linesMax = 10
    static let interval = Duration.seconds(1)

    private struct State {
        var end = MonotonicInstant(nanoseconds: 0)
        var lines = 0
        var unnamed = 0
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(logger: Logger) {
        self.logger = logger
    }

    /// - Parameter fields: of the job; not called if there is no line.
    func succeeded(at now: MonotonicInstant, _ fields: () -> LogFields) {
        let isNamed = state.withLock { state in
            if now >= state.end, state.unnamed == 0 { state = State(end: now + Self.interval) }
            guard state.lines < Self.linesMax else {
                state.unnamed += 1
                return false
            }
            state.lines += 1
            return true
        }
        if isNamed { logger.info("job succeeded", fields()) }
    }

    /// Logs the number of jobs without a line. Call it every second.
    func flush(at now: MonotonicInstant) {
        let unnamed = state.withLock { state in
            guard now >= state.end, state.unnamed > 0 else { return 0 }
            defer { state = State(end: now + Self.interval) }
            return state.unnamed
        }
        if unnamed > 0 { logger.info("more jobs succeeded", ["jobs": .integer(unnamed)]) }
    }
}
