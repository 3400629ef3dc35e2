internal import EventLoop
internal import Jobs
internal import Postgres
internal import Values

/// One leased job of this worker, from its lease until its result is written.
struct HeldAttempt {
    enum Phase {
        /// Leased, without a slot. Next: `running` when a slot is free (`startNext`), `finishing` when it is released,
        /// cancelled, or its lease is lost before that.
        case waiting
        /// In its handler. Next: `finishing` when the handler returns (`handlerEnded`), for whatever reason.
        case running
        /// Ended in this worker; the result is not written yet. Next: removed (`remove`) when it is written, or when
        /// the lease is lost.
        case finishing
    }

    let job: LeasedJob
    let cancellation: Cancellation
    var lease: LeaseClock
    var phase = Phase.waiting
    /// The instant at which `phase` became `waiting` or `running`.
    var since: MonotonicInstant
    /// The deadline of the handler; nil before it runs, and for a job without a timeout.
    var deadline: MonotonicInstant?

    func isRenewalDue(at now: MonotonicInstant) -> Bool {
        cancellation.reason != .leaseLost && lease.renewAt <= now
    }
}

/// All attempts that this worker holds, and the queue of those without a slot. Pure: every instant is an argument.
///
/// An attempt moves from `waiting` through `running` to `finishing`, and never back. It is removed only when its result
/// is written or its lease is lost: until then its lease is renewed, also while the result waits for PostgreSQL.
///
/// PostgreSQL's clock alone decides when a lease expires. The tracker uses this machine's monotonic clock, and counts
/// each lease from before its statement was sent (`LeaseClock`), so a lease ends here before it ends in PostgreSQL. On
/// a failure:
/// - The lease is not renewed in time, or a renewal finds another token: `Cancellation.Reason.leaseLost`, and nothing
///   is written about the attempt.
/// - The process was suspended, and wakes up after the end of a lease: `startNext` checks the lease again, so the job
///   does not start.
/// - The handler exceeds its deadline: `Cancellation.Reason.deadline`; the attempt is `running` until it returns.
struct AttemptTracker {
    /// The longest wait of a leased job for a slot. After it the job is released: the estimate that promised it a slot
    /// was wrong, and another worker may be idle.
    static let waitMax = Duration.seconds(1)

    private(set) var plan: LeasePlan
    /// By lease, not by job: this worker may lose a job and lease it again while the lost attempt still ends.
    private var attempts: [HeldLease: HeldAttempt] = [:]
    private var queue = FIFO<HeldLease>()
    private var lost: [LeasedJob] = []
    /// Slots whose task takes the next waiting job by itself.
    private(set) var activeSlots = 0
    /// While draining, no job starts.
    private(set) var isDraining = false

    init(plan: LeasePlan) {
        self.plan = plan
    }

    var isEmpty: Bool { attempts.isEmpty }
    var count: Int { attempts.count }
    var runningCount: Int { plan.running }

    /// Adds the jobs that a lease statement returned.
    /// - Parameters:
    ///   - requested: the number of jobs that the statement asked for.
    ///   - sentAt: before the statement was sent.
    /// - Returns: the number of slots to start.
    mutating func add(
        _ jobs: [LeasedJob], requested: Int, sentAt: MonotonicInstant, leaseDuration: Duration, now: MonotonicInstant
    ) -> Int {
        for job in jobs {
            let lease = LeaseClock(duration: leaseDuration, grantedAt: sentAt)
            attempts[job.lease] = HeldAttempt(job: job, cancellation: Cancellation(), lease: lease, since: now)
            queue.append(job.lease)
        }
        plan.leased(jobs.count, of: requested)
        let further = max(0, min(plan.concurrency - activeSlots, plan.waiting))
        activeSlots += further
        return further
    }

    /// The next job for a slot; nil ends the slot. Jobs whose lease is lost are skipped (`takeLost`).
    mutating func startNext(now: MonotonicInstant) -> (job: LeasedJob, cancellation: Cancellation)? {
        while !isDraining, let key = queue.popFirst() {
            guard var attempt = attempts[key], attempt.phase == .waiting else { continue }
            // A worker that was suspended gets here before its clocks have found that the lease is over.
            if attempt.cancellation.reason == .leaseLost || attempt.lease.stopAt <= now {
                attempts[key]?.phase = .finishing
                plan.released()
                lost.append(attempt.job)
                continue
            }
            attempt.phase = .running
            attempt.since = now
            let seconds = attempt.job.timeoutSeconds
            attempt.deadline = seconds > 0 ? now + .seconds(seconds) : nil
            attempts[key] = attempt
            plan.started()
            return (attempt.job, attempt.cancellation)
        }
        activeSlots -= 1
        return nil
    }

    /// Jobs that lost their lease before they had a slot, once each. The caller removes them.
    mutating func takeLost() -> [LeasedJob] {
        guard !lost.isEmpty else { return [] }
        defer { lost = [] }
        return lost
    }

    /// The handler returned: its slot is free.
    /// - Returns: the run time of the handler.
    mutating func handlerEnded(_ lease: HeldLease, now: MonotonicInstant) -> Duration {
        guard let attempt = attempts[lease] else { return .zero }
        let duration = now - attempt.since
        plan.ended(afterSeconds: duration.inSeconds)
        attempts[lease]?.phase = .finishing
        attempts[lease]?.deadline = nil
        return duration
    }

    /// Removes an attempt whose result is written, or whose lease is lost.
    mutating func remove(_ lease: HeldLease) {
        attempts[lease] = nil
    }

    /// Takes the jobs that have waited for a slot for more than `waitMax`. The caller releases them.
    mutating func releaseStale(now: MonotonicInstant) -> [LeasedJob] {
        release { now - $0.since > Self.waitMax }
    }

    /// Takes the waiting jobs that match. The caller releases them.
    mutating func release(where matches: (HeldAttempt) -> Bool) -> [LeasedJob] {
        var released: [LeasedJob] = []
        for (lease, attempt) in attempts where attempt.phase == .waiting {
            guard matches(attempt) else { continue }
            released.append(attempt.job)
            attempts[lease]?.phase = .finishing
        }
        plan.released(released.count)
        return released
    }

    mutating func beginDraining() {
        isDraining = true
    }

    // MARK: Clocks

    /// The cancellations to request and the leases to renew at `now`.
    func due(at now: MonotonicInstant) -> (cancellations: [(Cancellation, Cancellation.Reason)], renewals: [HeldLease])
    {
        var cancellations: [(Cancellation, Cancellation.Reason)] = []
        var renewals: [HeldLease] = []
        for attempt in attempts.values {
            if attempt.lease.stopAt <= now {
                cancellations.append((attempt.cancellation, .leaseLost))
            } else if attempt.isRenewalDue(at: now) {
                renewals.append(attempt.job.lease)
            }
            if let deadline = attempt.deadline, deadline <= now {
                cancellations.append((attempt.cancellation, .deadline))
            }
        }
        return (cancellations, renewals)
    }

    /// Applies the result of a renewal.
    /// - Parameters:
    ///   - requested: the leases that the statement renewed.
    ///   - held: those of them that PostgreSQL still holds for this worker.
    ///   - sentAt: before the statement was sent.
    /// - Returns: the cancellations of the attempts that lost their lease. An attempt that ended in the meantime loses
    ///   nothing: its result was written, and its lease with it.
    mutating func applyRenewal(
        of requested: [HeldLease], held: some Collection<HeldLease>, sentAt: MonotonicInstant
    ) -> [Cancellation] {
        for lease in held { attempts[lease]?.lease.renewed(at: sentAt) }
        let lost = Set(requested).subtracting(held)
        return lost.compactMap { attempts[$0] }.filter { $0.phase != .finishing }.map(\.cancellation)
    }

    /// Applies cancel requests. Requests for other jobs, and for attempts that have ended here, change nothing.
    /// - Returns: the cancellations to request, and the jobs without a slot, which the caller releases.
    mutating func cancel(
        _ requests: [CancelRequest]
    ) -> (cancellations: [(Cancellation, Cancellation.Reason)], unstarted: [LeasedJob]) {
        var cancellations: [(Cancellation, Cancellation.Reason)] = []
        var unstarted: [LeasedJob] = []
        for request in requests {
            guard let attempt = attempts[request.lease] else { continue }
            switch attempt.phase {
            case .waiting:
                attempts[request.lease]?.phase = .finishing
                unstarted.append(attempt.job)
            case .running:
                cancellations.append((attempt.cancellation, .cancelled(grace: .seconds(request.graceSeconds))))
            case .finishing: break
            }
        }
        plan.released(unstarted.count)
        return (cancellations, unstarted)
    }

    /// The cancellations of all running attempts.
    var running: [Cancellation] {
        attempts.values.filter { $0.phase == .running }.map(\.cancellation)
    }

    /// The end of a lease by this machine's clock: after it the result of the attempt can no longer be written.
    func leaseEnd(of lease: HeldLease) -> MonotonicInstant? {
        attempts[lease].map { $0.lease.grantedAt + $0.lease.duration }
    }
}

extension LeasedJob {
    var lease: HeldLease { HeldLease(id: id, token: token) }
}
