/// The settings of a queue: its limits, how long its ended jobs are kept, and when its jobs are taken over. nil: no
/// limit, and the retention of the reaper.
public struct QueueSettings: Hashable, Sendable {
    /// Maximum number of its jobs that run at once.
    public var runningMax: Int32?
    /// Maximum number of its jobs with one concurrency key that run at once.
    public var runningPerKeyMax: Int32?
    public var rate: StartRate?
    public var succeededHours: Int32?
    public var failedHours: Int32?
    public var cancelledHours: Int32?
    public var takeover = Takeover.heartbeat

    public init() {}
}

/// How many jobs of a queue may start: `count` in `seconds`, spread evenly, of which `burst` may start at once.
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
