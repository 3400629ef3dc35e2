/// Pauses that double from one failure to the next, up to a cap, with jitter, so that processes which failed together
/// do not come back together.
struct Backoff: Sendable {
    var first = Duration.milliseconds(50)
    /// Below 10 s, which is within what callers may have to wait after PostgreSQL is back.
    var cap = Duration.seconds(5)

    /// - Parameters:
    ///   - failures: in a row, the latest included; 1 or more.
    ///   - random: between 0 and 1.
    /// - Returns: between half and the whole of the doubled pause.
    func delay(afterFailures failures: Int, random: Double) -> Duration {
        let doublings = min(max(0, failures - 1), 20)
        let whole = min(first * (1 << doublings), cap)
        return whole * (0.5 + 0.5 * random)
    }
}
