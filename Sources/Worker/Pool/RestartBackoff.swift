internal import Values

/// The pause before a workload's process is started again: 1 s after the first failure, doubled up to 60 s, varied by
/// 10 %. A run of at least `stableRun` ends the row of failures. Pure: the random number is an argument.
struct RestartBackoff {
    /// A process that ran for this long was healthy: its end is the first failure of a new row.
    static let stableRun = Duration.seconds(60)

    private var backoff = CappedBackoff(first: .seconds(1), cap: .seconds(60), jitter: 0.9...1.1)

    /// Failures in a row.
    var failures: Int { backoff.failures }

    /// Records that the process ended on its own.
    /// - Parameters:
    ///   - duration: its run time.
    ///   - random: 0 to 1. Workloads that failed together restart at different instants.
    /// - Returns: the pause before the next start.
    mutating func ended(after duration: Duration, random: Double) -> Duration {
        if duration >= Self.stableRun { backoff.succeeded() }
        return backoff.failed(random: random)
    }
}
