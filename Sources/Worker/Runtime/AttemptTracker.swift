internal import EventLoop
internal import Jobs
internal import Postgres
internal import Values

/// One leased job of this worker, from the lease until its end is written down.
struct HeldAttempt {
    enum Phase {
        /// Leased, without a slot yet.
        case waiting
        /// In its handler.
        case running
        /// Ended here; the end is not written down yet.
        case finishing
    }

    let job: LeasedJob
    let stop: Cancellation
    var lease: LeaseClock
    var phase = Phase.waiting
    /// When it was leased, then when it got its slot.
    var since: MonotonicInstant
    /// The end of its time; nil before it runs, and if it has none.
    var deadline: MonotonicInstant?

    /// Whether its lease needs the renewal that this worker owes it.
    func needsRenewal(at now: MonotonicInstant) -> Bool {
        stop.reason != .leaseLost && lease.renewAt <= now
    }
}

/// All attempts that this worker holds, and the queue of those without a slot. Pure: every instant comes from outside.
struct AttemptTracker {
    /// A leased job that has waited so long for a slot is given back: the measure that promised it a slot was wrong,
    /// and another worker may be idle.
    static let waitMax = Duration.seconds(1)

    private(set) var plan: LeasePlan
    /// By lease, not by job: this worker may lose a job and lease it again while the lost attempt still ends.
    private var attempts: [HeldLease: HeldAttempt] = [:]
    private var queue: [HeldLease] = []
    private var queueHead = 0
    private var lost: [LeasedJob] = []
    /// Slots whose task looks for the next job by itself.
    private(set) var activeSlots = 0
    /// No job is started any more.
    private(set) var isDraining = false

    init(plan: LeasePlan) {
        self.plan = plan
    }

    var isEmpty: Bool { attempts.isEmpty }
    var count: Int { attempts.count }
    var runningCount: Int { plan.running }

    /// Adds jobs that a statement has leased, sent at `sentAt`, which had asked for `asked`. Returns how many further
    /// slots must be started.
    mutating func add(
        _ jobs: [LeasedJob], asked: Int, sentAt: MonotonicInstant, leaseDuration: Duration, now: MonotonicInstant
    ) -> Int {
        for job in jobs {
            let lease = LeaseClock(duration: leaseDuration, grantedAt: sentAt)
            attempts[job.lease] = HeldAttempt(job: job, stop: Cancellation(), lease: lease, since: now)
            queue.append(job.lease)
        }
        plan.leased(jobs.count, of: asked)
        let further = min(plan.concurrency - activeSlots, plan.waiting)
        activeSlots += max(0, further)
        return max(0, further)
    }

    /// The next job for a slot; nil ends the slot. One whose lease is lost is passed over (`takeLost`).
    mutating func startNext(now: MonotonicInstant) -> (job: LeasedJob, stop: Cancellation)? {
        while !isDraining, let key = popQueue() {
            guard var attempt = attempts[key], attempt.phase == .waiting else { continue }
            // A worker that was frozen finds jobs here before its clocks have told it that their leases are over.
            if attempt.stop.reason == .leaseLost || attempt.lease.stopAt <= now {
                attempts[key]?.phase = .finishing
                plan.returned()
                lost.append(attempt.job)
                continue
            }
            attempt.phase = .running
            attempt.since = now
            let seconds = attempt.job.timeoutSeconds
            attempt.deadline = seconds > 0 ? now + .seconds(seconds) : nil
            attempts[key] = attempt
            plan.started()
            return (attempt.job, attempt.stop)
        }
        activeSlots -= 1
        return nil
    }

    /// Jobs that have lost their lease before they got a slot: to be forgotten.
    mutating func takeLost() -> [LeasedJob] {
        guard !lost.isEmpty else { return [] }
        defer { lost = [] }
        return lost
    }

    private mutating func popQueue() -> HeldLease? {
        guard queueHead < queue.count else {
            queue.removeAll(keepingCapacity: true)
            queueHead = 0
            return nil
        }
        defer { queueHead += 1 }
        return queue[queueHead]
    }

    /// A handler has returned: its slot is free. Returns how long it ran.
    mutating func ended(_ lease: HeldLease, now: MonotonicInstant) -> Duration {
        guard let attempt = attempts[lease] else { return .zero }
        let duration = now - attempt.since
        plan.ended(afterSeconds: duration.inSeconds)
        attempts[lease]?.phase = .finishing
        attempts[lease]?.deadline = nil
        return duration
    }

    /// The end has been written down, or need not be.
    mutating func forget(_ lease: HeldLease) {
        attempts[lease] = nil
    }

    /// Takes jobs that have waited for a slot for longer than `waitMax` out of the queue, to be given back.
    mutating func releaseStale(now: MonotonicInstant) -> [LeasedJob] {
        release { now - $0.since > Self.waitMax }
    }

    /// Takes jobs that wait for a slot out of the queue, to be given back.
    mutating func release(where isGiven: (HeldAttempt) -> Bool) -> [LeasedJob] {
        var given: [LeasedJob] = []
        for (lease, attempt) in attempts where attempt.phase == .waiting {
            guard isGiven(attempt) else { continue }
            given.append(attempt.job)
            attempts[lease]?.phase = .finishing
        }
        plan.returned(given.count)
        return given
    }

    mutating func beginDraining() {
        isDraining = true
    }

    // MARK: Clocks

    /// What the clocks ask for now: whom to stop, and which leases to renew.
    func due(at now: MonotonicInstant) -> (stops: [(Cancellation, Cancellation.Reason)], renewals: [HeldLease]) {
        var stops: [(Cancellation, Cancellation.Reason)] = []
        var renewals: [HeldLease] = []
        for attempt in attempts.values {
            if attempt.lease.stopAt <= now {
                stops.append((attempt.stop, .leaseLost))
            } else if attempt.needsRenewal(at: now) {
                renewals.append(attempt.job.lease)
            }
            if let deadline = attempt.deadline, deadline <= now { stops.append((attempt.stop, .deadline)) }
        }
        return (stops, renewals)
    }

    /// The answer to a renewal that was sent at `sentAt`: the leases that are still held. Returns who has lost his. What
    /// has ended here meanwhile is no loss.
    mutating func renewed(
        _ asked: [HeldLease], held: some Collection<HeldLease>, sentAt: MonotonicInstant
    ) -> [Cancellation] {
        for lease in held { attempts[lease]?.lease.renewed(at: sentAt) }
        let lost = Set(asked).subtracting(held)
        return lost.compactMap { attempts[$0] }.filter { $0.phase != .finishing }.map(\.stop)
    }

    /// Jobs of this worker that are to end: whom to stop, and those without a slot, which are to be given up. Others,
    /// and those that have ended here meanwhile, are none of its business.
    mutating func cancel(
        _ orders: [CancelRequest]
    ) -> (stops: [(Cancellation, Cancellation.Reason)], unstarted: [LeasedJob]) {
        var stops: [(Cancellation, Cancellation.Reason)] = []
        var unstarted: [LeasedJob] = []
        for order in orders {
            guard let attempt = attempts[order.lease] else { continue }
            switch attempt.phase {
            case .waiting:
                attempts[order.lease]?.phase = .finishing
                unstarted.append(attempt.job)
            case .running: stops.append((attempt.stop, .cancelled(grace: .seconds(order.graceSeconds))))
            case .finishing: break
            }
        }
        plan.returned(unstarted.count)
        return (stops, unstarted)
    }

    /// Everything that runs.
    var running: [Cancellation] {
        attempts.values.filter { $0.phase == .running }.map(\.stop)
    }

    /// The instant from which on an attempt can no longer be written down.
    func end(of lease: HeldLease) -> MonotonicInstant? {
        attempts[lease].map { $0.lease.grantedAt + $0.lease.duration }
    }
}

extension LeasedJob {
    var lease: HeldLease { HeldLease(id: id, token: token) }
}
