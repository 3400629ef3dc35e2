internal import Values

/// The pause before the process of a workload is started again. Pure: random numbers come from outside.
struct RestartPace {
    static let first = Duration.seconds(1)
    static let longest = Duration.seconds(60)
    /// A process that ran for this long ran well: its end is the first failure of a new row.
    static let goodRun = Duration.seconds(60)

    private var backoff = CappedBackoff(first: first, cap: longest, jitter: 0.9...1.1)

    /// In a row.
    var failures: Int { backoff.failures }

    /// The process has ended by itself. Returns the pause, which doubles with each failure in a row.
    /// - Parameter random: 0 to 1.
    mutating func ended(after duration: Duration, random: Double) -> Duration {
        if duration >= Self.goodRun { backoff.succeeded() }
        return backoff.failed(random: random)
    }
}
