/// How long to wait before a workload's process is started again: pure, so that chance comes from outside.
struct RestartPace {
    static let first = Duration.seconds(1)
    static let longest = Duration.seconds(60)
    /// Who has run for so long has run well: what happens then is a new failure, and no part of a row.
    static let goodRun = Duration.seconds(60)

    /// In a row.
    private(set) var failures = 0

    /// The process has ended by itself. The pause doubles with each failure in a row.
    /// - Parameter random: between 0 and 1: workloads that failed together come back one after the other.
    mutating func ended(after duration: Duration, random: Double) -> Duration {
        if duration >= Self.goodRun { failures = 0 }
        failures += 1
        let whole = min(Self.first * (1 << min(failures - 1, 20)), Self.longest)
        return whole * (0.9 + 0.2 * random)
    }
}
