/// What a queue is told: its limits, and for how long its ended jobs are kept. nil: no limit, and what the reaper keeps
/// jobs for.
public struct QueueSettings: Hashable, Sendable {
    /// So many of its jobs run at once, at most.
    public var runningMax: Int32?
    /// So many of its jobs with one concurrency key run at once, at most.
    public var runningPerKeyMax: Int32?
    public var rate: StartRate?
    public var succeededHours: Int32?
    public var failedHours: Int32?
    public var cancelledHours: Int32?

    public init() {}
}

/// How many jobs of a queue may start in a time: `count` in `seconds`, spread over it, but for `burst` at once.
public struct StartRate: Hashable, Sendable {
    public let count: Int32
    public let seconds: Double
    public let burst: Int32

    /// - Parameter burst: nil: as many as start in one second, and at least one.
    public init(count: Int32, seconds: Double, burst: Int32? = nil) {
        self.count = count
        self.seconds = seconds
        self.burst = burst ?? max(1, Int32(min(Double(count), (Double(count) / seconds).rounded(.down))))
    }
}
