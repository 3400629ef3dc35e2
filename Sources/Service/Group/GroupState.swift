internal import Values

/// How long a drain may take. All limits of a process that stops are here.
public struct DrainLimits: Hashable, Sendable {
    /// From the first signal on, how long work under way may take to end by itself.
    public var grace: Duration
    /// After the grace, how long the services may take to cut the rest short and stop.
    public var settling: Duration
    /// What a second signal leaves of the grace.
    public var hurriedGrace: Duration

    /// After the deadline, how long the services that have not stopped may take to close what they hold.
    static let closing = Duration.seconds(1)

    public init(grace: Duration, settling: Duration = .zero, hurriedGrace: Duration = .seconds(1)) {
        self.grace = grace
        self.settling = settling
        self.hurriedGrace = hurriedGrace
    }
}

/// The decisions of a `ServiceGroup`: which service starts or stops next, what a signal means, when waiting ends. Pure:
/// every instant comes from outside.
///
/// **States.** `starting(i)`: the services before `i` have started, and `i` is starting. `running`: all have started.
/// `abandoning(i)`: the drain has begun while `i` was starting; its start is cancelled and awaited. `stopping(i)`: the
/// services after `i` have stopped, `i` is stopping. `stopped`: the process ends.
///
/// **The drain** begins with the first signal, when a service fails to start, or when a command has its result. First
/// all started services, last to first, take no new work (`drain`). Then they are stopped one at a time, last to first,
/// so that each can rely on those before it until it has stopped.
///
/// **Clocks.** The drain has two instants, both on the monotonic clock. At the end of the grace the services cut short
/// what still runs (a worker asks its jobs to stop, the api closes connections); they watch that instant themselves. At
/// the deadline, the settling time later, the group stops waiting: the stop under way is cancelled, the remaining
/// services are stopped in order but with a cancelled task, and one second later the process ends whatever is left.
///
/// **Signals.** The first begins the drain. A second one shortens the remaining grace to one second (a worker stops its
/// jobs at once), and the deadline with it. Further ones only do so again, which changes nothing.
///
/// **Failures.** A service that throws from its start makes the exit status 1; those before it are stopped. A service
/// that does not stop is left behind at the deadline: everything that a process holds is released by the kernel, and
/// every statement that it leaves unfinished is rolled back.
struct GroupState {
    enum Phase: Hashable {
        /// Next: `starting`.
        case idle
        /// Next: `starting` the next one, `running` after the last, `abandoning`, `stopping` when it fails.
        case starting(Int)
        /// Next: `stopping`.
        case running
        /// Next: `stopping`.
        case abandoning(Int)
        /// Next: `stopping` the one before, `stopped` after the first one.
        case stopping(Int)
        case stopped
    }

    enum Action: Hashable {
        case start(Int)
        /// All services have started.
        case announce
        /// Cancel the start under way. It still ends with `startEnded`.
        case cancelStart
        /// Call `drain` of these services, last to first.
        case drain(Range<Int>, graceEnd: MonotonicInstant)
        /// Call `hurry` of these services, last to first.
        case hurry(Range<Int>, graceEnd: MonotonicInstant)
        /// Call `deadlinePassed` at this instant.
        case wakeAt(MonotonicInstant)
        case stop(Int)
        /// Cancel the start or stop under way, and all later ones.
        case cancelStops
        /// End the process with this exit status.
        case end(Int32)
    }

    private struct Drain {
        var graceEnd: MonotonicInstant
        var deadline: MonotonicInstant
        var isCut = false
    }

    let count: Int
    let limits: DrainLimits
    /// The exit status after a signal.
    let interruptedStatus: Int32
    private(set) var phase = Phase.idle
    private(set) var status: Int32 = 0
    private var drain: Drain?

    /// - Parameter count: of services.
    init(count: Int, limits: DrainLimits, interruptedStatus: Int32 = 0) {
        self.count = count
        self.limits = limits
        self.interruptedStatus = interruptedStatus
    }

    // MARK: Starting

    mutating func begin() -> [Action] {
        start(0)
    }

    private mutating func start(_ index: Int) -> [Action] {
        guard index < count else {
            phase = .running
            return [.announce]
        }
        phase = .starting(index)
        return [.start(index)]
    }

    /// The start under way has returned.
    /// - Parameter succeeded: false when it threw: then the service is not running, and is not stopped.
    mutating func startEnded(succeeded: Bool, at now: MonotonicInstant) -> [Action] {
        switch phase {
        case .starting(let index):
            if succeeded { return start(index + 1) }
            status = 1
            return beginDrain(of: index, at: now) + stop(index - 1)
        case .abandoning(let index):
            guard succeeded, let drain else { return stop(index - 1) }
            return [.drain(index..<index + 1, graceEnd: drain.graceEnd)] + stop(index)
        case .idle, .running, .stopping, .stopped:
            return []
        }
    }

    // MARK: Draining

    /// SIGTERM or SIGINT.
    mutating func signalled(at now: MonotonicInstant) -> [Action] {
        switch phase {
        case .starting, .running:
            status = interruptedStatus
            return end(at: now)
        case .abandoning(let index): return hurry(0..<index, at: now)
        case .stopping(let index): return hurry(0..<index + 1, at: now)
        case .idle, .stopped: return []
        }
    }

    /// A command has its result: the process ends with this status, also if a signal came before.
    mutating func finished(status: Int32, at now: MonotonicInstant) -> [Action] {
        guard phase != .stopped else { return [] }
        self.status = status
        return end(at: now)
    }

    private mutating func end(at now: MonotonicInstant) -> [Action] {
        switch phase {
        case .starting(let index):
            phase = .abandoning(index)
            return beginDrain(of: index, at: now) + [.cancelStart]
        case .running:
            return beginDrain(of: count, at: now) + stop(count - 1)
        case .idle, .abandoning, .stopping, .stopped:
            return []
        }
    }

    private mutating func beginDrain(of started: Int, at now: MonotonicInstant) -> [Action] {
        let graceEnd = now + limits.grace
        let drain = Drain(graceEnd: graceEnd, deadline: graceEnd + limits.settling)
        self.drain = drain
        return [.drain(0..<started, graceEnd: graceEnd), .wakeAt(drain.deadline)]
    }

    private mutating func hurry(_ services: Range<Int>, at now: MonotonicInstant) -> [Action] {
        let graceEnd = now + limits.hurriedGrace
        guard var drain, !drain.isCut, graceEnd < drain.graceEnd else { return [] }
        drain.graceEnd = graceEnd
        drain.deadline = graceEnd + limits.settling
        self.drain = drain
        return [.hurry(services, graceEnd: graceEnd), .wakeAt(drain.deadline)]
    }

    // MARK: Stopping

    private mutating func stop(_ index: Int) -> [Action] {
        guard index >= 0 else {
            phase = .stopped
            return [.end(status)]
        }
        phase = .stopping(index)
        return [.stop(index)]
    }

    /// The stop under way has returned.
    mutating func stopEnded() -> [Action] {
        guard case .stopping(let index) = phase else { return [] }
        return stop(index - 1)
    }

    /// An instant of `wakeAt` has come. One that was moved since changes nothing.
    mutating func deadlinePassed(at now: MonotonicInstant) -> [Action] {
        guard var drain, phase != .stopped, drain.deadline <= now else { return [] }
        guard !drain.isCut else {
            phase = .stopped
            return [.end(status)]
        }
        drain.isCut = true
        drain.deadline = now + DrainLimits.closing
        self.drain = drain
        return [.cancelStops, .wakeAt(drain.deadline)]
    }
}
