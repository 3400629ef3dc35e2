internal import Synchronization
internal import Telemetry
internal import Values

/// Logs jobs that have succeeded: a line for each, up to ten lines a second, and then how many there were besides.
/// A worker may end seventy thousand jobs a second, so that one costs two operations on atomics.
final class SuccessLog: Sendable {
    static let linesMax = 10
    static let interval = Duration.seconds(1)

    private let logger: Logger
    private let linesLeft = Atomic(linesMax)
    private let unnamed = Atomic(0)
    private let next = Mutex(MonotonicInstant(nanoseconds: 0))

    init(logger: Logger) {
        self.logger = logger
    }

    /// - Parameter fields: of the job; not called if there is no line.
    func succeeded(_ fields: () -> LogFields) {
        guard linesLeft.load(ordering: .relaxed) > 0 else {
            unnamed.wrappingAdd(1, ordering: .relaxed)
            return
        }
        linesLeft.wrappingSubtract(1, ordering: .relaxed)
        logger.info("job succeeded", fields())
    }

    /// Logs the number of jobs without a line, and allows new lines, once a second. Call it more often.
    func flush(at now: MonotonicInstant) {
        let isDue = next.withLock { next in
            guard now >= next else { return false }
            next = now + Self.interval
            return true
        }
        guard isDue else { return }
        linesLeft.store(Self.linesMax, ordering: .relaxed)
        let count = unnamed.exchange(0, ordering: .relaxed)
        if count > 0 { logger.info("more jobs succeeded", ["jobs": .integer(count)]) }
    }
}
