internal import EventLoop

/// When a task runs next: pure, so that instants and chance come from outside.
struct Pace: Sendable {
    /// The first pause after a failure; it doubles with each further one.
    static let failurePause = Duration.milliseconds(100)
    /// Below 10 s: so soon after PostgreSQL is back everything works again.
    static let failurePauseMax = Duration.seconds(5)

    /// The longest pause between two runs.
    let interval: Duration
    /// The shortest, for a task that asks to run sooner than at its interval.
    let pauseMin: Duration
    /// In a row.
    private(set) var failures = 0

    init(interval: Duration, pauseMin: Duration) {
        self.interval = interval
        self.pauseMin = min(pauseMin, interval)
    }

    /// A run went well. `random` is between 0 and 1: processes that were started together drift apart.
    mutating func succeeded(dueIn: Duration?, random: Double) -> Duration {
        failures = 0
        let regular = interval * (0.9 + 0.1 * random)
        guard let dueIn else { return regular }
        return max(pauseMin, min(dueIn, regular))
    }

    mutating func failed(random: Double) -> Duration {
        failures += 1
        let whole = min(Self.failurePause * (1 << min(failures - 1, 20)), Self.failurePauseMax)
        return whole * (0.5 + 0.5 * random)
    }

    /// A failure is told when it is the first of a row, the second, the fourth ...: a lasting one does not fill the log.
    var isFailureWorthTelling: Bool { failures & (failures - 1) == 0 }
}
