internal import Values

/// When this worker leases next from queues whose rate holds ready jobs back. Pure.
///
/// One worker, the *keeper*, wakes up at the instant at which the rate allows the next start: the one that has started
/// the last job. The others look later, in case the keeper is gone, so that they do not all wake up for each start.
struct RateTimers {
    /// How much later than the keeper another worker looks, in seconds.
    static let standInDelay = 0.5...1.5
    /// A keeper that comes too early by up to this time remains the keeper.
    static let tolerance = Duration.milliseconds(5)
    /// Number of queues to remember. Above it the timers are dropped, and polls find the jobs.
    private static let queuesMax = 1_000

    private struct Timer {
        var instant: MonotonicInstant
        var isKeeper: Bool
    }

    private var timers: [String: Timer] = [:]

    /// The first of the instants; nil: no rate holds anything back.
    var next: MonotonicInstant? { timers.values.lazy.map(\.instant).min() }

    /// Applies the answer of a lease.
    /// - Parameters:
    ///   - nextStarts: the queues held back, and for how long.
    ///   - served: the queues from which jobs were leased.
    ///   - random: 0 to 1.
    mutating func leased(
        held nextStarts: [String: Duration], served: Set<String>, at now: MonotonicInstant, random: Double
    ) {
        for (queue, timer) in timers where timer.instant <= now && nextStarts[queue] == nil { timers[queue] = nil }
        for queue in served where nextStarts[queue] == nil { timers[queue] = nil }
        if timers.count + nextStarts.count > Self.queuesMax { timers = [:] }
        for (queue, wait) in nextStarts {
            let wasKeeper = timers[queue].map { $0.isKeeper && ($0.instant > now || wait <= Self.tolerance) } ?? false
            let isKeeper = served.contains(queue) || wasKeeper
            let delay =
                Self.standInDelay.lowerBound
                + random * (Self.standInDelay.upperBound - Self.standInDelay.lowerBound)
            let instant = now + (isKeeper ? wait : wait + .seconds(1) * delay)
            // A stand-in keeps its instant, so that a busy keeper's later starts do not postpone it for ever.
            if !isKeeper, let timer = timers[queue], !timer.isKeeper, timer.instant > now { continue }
            timers[queue] = Timer(instant: instant, isKeeper: isKeeper)
        }
    }

    /// The queues whose instant has come.
    func due(at now: MonotonicInstant) -> [String] { timers.filter { $0.value.instant <= now }.map(\.key) }

    /// Removes the queues whose instant has come, and returns them: this worker cannot lease now.
    mutating func takeDue(at now: MonotonicInstant) -> [String] {
        let due = timers.filter { $0.value.instant <= now }.keys
        for queue in due { timers[queue] = nil }
        return Array(due)
    }

    /// Removes all queues, and returns those of which this worker is the keeper: it leases no more.
    mutating func giveUp() -> [String] {
        defer { timers = [:] }
        return timers.filter(\.value.isKeeper).map(\.key)
    }
}
