internal import Values

/// When a report is read again, and whether its readers wait for it. Pure: the shell is `LatestReport`.
///
/// A report costs more the more there is to report on. So the pause after a read is a multiple of its duration, and a
/// report that took long the last time is not waited for: its readers get the previous one, and cause the next.
struct ReportPace {
    /// How long a report is served without another read, at least.
    static let keptFor = Duration.seconds(1)
    /// The pause after a read, in durations of the read: reads take at most a twentieth of the time.
    static let pauseFactor = 19
    /// The longest pause, so that one read that waited for a lock does not make the report old.
    static let pauseMax = Duration.seconds(60)
    /// The longest wait for a read that is waited for.
    static let patience = Duration.seconds(1)

    enum Step: Equatable {
        /// The latest report is good enough.
        case answer
        /// Wait for the read under way, for `patience` at most.
        case wait
    }

    /// The longest duration of a read that is waited for if there is an earlier report.
    private let quick: Duration
    private var nextRead = MonotonicInstant(nanoseconds: .min)
    private var lastDuration: Duration?
    private var hasFailed = false
    /// When the read under way began; nil: none is.
    private(set) var began: MonotonicInstant?

    init(quick: Duration) {
        self.quick = quick
    }

    var isReading: Bool { began != nil }

    /// Whether the last read has succeeded, and the one under way is not late.
    func isCurrent(at now: MonotonicInstant) -> Bool {
        !hasFailed && began.map { now - $0 < Self.patience } ?? true
    }

    /// Somebody asks for the report.
    /// - Returns: whether a read begins, and what the reader does.
    mutating func asked(at now: MonotonicInstant) -> (begins: Bool, step: Step) {
        if !isReading, now < nextRead { return (false, .answer) }
        let begins = !isReading
        if begins { began = now }
        if let lastDuration, lastDuration > quick { return (begins, .answer) }
        return (begins, .wait)
    }

    /// The read under way has ended.
    /// - Parameter succeeded: a failed one keeps the latest report.
    mutating func ended(at now: MonotonicInstant, succeeded: Bool) {
        let duration = now - (began ?? now)
        began = nil
        hasFailed = !succeeded
        if succeeded { lastDuration = duration }
        nextRead = now + max(Self.keptFor, min(duration * Self.pauseFactor, Self.pauseMax))
    }
}
