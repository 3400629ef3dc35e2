internal import Values

/// When a task runs next. Pure: instants and random numbers come from outside.
struct Pace: Sendable {
    /// The first pause after a failure; each further failure in a row doubles it.
    static let failurePause = Duration.milliseconds(100)
    /// Below 10 s, the limit within which everything works again after an outage of PostgreSQL.
    static let failurePauseMax = Duration.seconds(5)

    /// The longest pause between two runs.
    let interval: Duration
    /// The shortest pause, for a task that asks to run before its interval has passed.
    let pauseMin: Duration
    private var backoff = CappedBackoff(first: failurePause, cap: failurePauseMax)

    /// In a row.
    var failures: Int { backoff.failures }

    init(interval: Duration, pauseMin: Duration) {
        self.interval = interval
        self.pauseMin = min(pauseMin, interval)
    }

    /// A run succeeded. Returns the pause: 90 to 100 % of the interval, so that processes that were started together
    /// drift apart, or less if the task asks for it.
    /// - Parameter random: 0 to 1.
    mutating func succeeded(dueIn: Duration?, random: Double) -> Duration {
        backoff.succeeded()
        let regular = interval * (0.9 + 0.1 * random)
        guard let dueIn else { return regular }
        return max(pauseMin, min(dueIn, regular))
    }

    /// A run failed. Returns the pause.
    /// - Parameter random: 0 to 1.
    mutating func failed(random: Double) -> Duration {
        backoff.failed(random: random)
    }

    /// The first failure of a row is logged, the second, the fourth and so on: a lasting one does not fill the log.
    var isFailureLogged: Bool { failures & (failures - 1) == 0 }
}
