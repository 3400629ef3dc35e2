/// Pauses between attempts: each failure in a row doubles the pause, up to a cap. Jitter keeps processes that failed
/// together from retrying together. Pure: the random number comes from the caller.
///
/// This is the pause of our own processes. The backoff of a job between its attempts is computed by PostgreSQL
/// (`retry_delay`).
public struct CappedBackoff: Hashable, Sendable {
    /// The pause after the first failure, before jitter.
    public let first: Duration
    /// The longest pause, before jitter; also of the first one, if that is longer.
    public let cap: Duration
    /// Factors of the pause, from which `random` chooses linearly.
    public let jitter: ClosedRange<Double>
    /// Failures in a row.
    public private(set) var failures = 0

    /// - Parameter jitter: default half to the whole of the pause.
    public init(first: Duration, cap: Duration, jitter: ClosedRange<Double> = 0.5...1) {
        precondition(first > .zero, "a pause of zero does not grow")
        self.first = first
        self.cap = cap
        self.jitter = jitter
    }

    /// Records a failure.
    /// - Parameter random: 0 to 1.
    /// - Returns: the pause before the next attempt.
    public mutating func failed(random: Double) -> Duration {
        failures += 1
        return pause(afterFailures: failures, random: random)
    }

    /// Records a success: the next failure is the first of a row.
    public mutating func succeeded() {
        failures = 0
    }

    /// - Parameters:
    ///   - failures: in a row, 1 or more.
    ///   - random: 0 to 1.
    public func pause(afterFailures failures: Int, random: Double) -> Duration {
        let doublings = min(max(0, failures - 1), 20)
        let whole = min(first * (1 << doublings), cap)
        return whole * (jitter.lowerBound + (jitter.upperBound - jitter.lowerBound) * random)
    }
}
