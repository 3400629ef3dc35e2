internal import EventLoop
internal import Jobs
internal import Postgres
internal import Values

/// One leased job of this worker, from its lease until its result is written.
struct HeldAttempt {
    enum Phase {
        /// Leased, without a slot. Next: `loading` or `running` when a slot is free (`startNext`), `finishing` when it
        /// is released, cancelled, or its lease is lost before that.
        case waiting
        /// In its slot, until its payload has been read. Next: `running` (`startLoaded`), `finishing` as before.
        case loading
        /// In its handler. Next: `finishing` when the handler returns (`handlerEnded`), for whatever reason.
        case running
        /// Ended in this worker; the result is not written yet. Next: removed (`remove`) when it is written, or when
        /// the lease is lost.
        case finishing
    }

    /// Without its payload once the attempt has a slot.
    var job: LeasedJob
    let cancellation: Cancellation
    var lease: LeaseClock
    var phase = Phase.waiting
    /// The instant at which the attempt was leased or, once it has a slot, got that.
    var since: MonotonicInstant
    /// The instant at which its handler started.
    var startedAt: MonotonicInstant?
    /// The bytes that it holds of `PayloadMemory`, and whether they came with the lease.
    var heldBytes = 0
    var holdsInline = true
    /// Those of `heldBytes` that are a result.
    var resultBytes = 0
    /// The deadline of the handler; nil before it runs, and for a job without a timeout.
    var deadline: MonotonicInstant?

    var isUnstarted: Bool { phase == .waiting || phase == .loading }

    fileprivate mutating func start(_ now: MonotonicInstant) {
        phase = .running
        startedAt = now
        deadline = job.timeoutSeconds > 0 ? now + .seconds(job.timeoutSeconds) : nil
    }

    func isRenewalDue(at now: MonotonicInstant, inAnyCase: Bool) -> Bool {
        cancellation.reason != .leaseLost && (inAnyCase || lease.renewAt <= now)
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
    private(set) var memory: PayloadMemory
    /// Attempts whose payload waits to be read.
    var loads = PayloadQueue()
    /// Bytes of results that are not written yet.
    private var resultBytes = 0

    init(plan: LeasePlan, memory: PayloadMemory) {
        self.plan = plan
        self.memory = memory
    }

    /// The number of jobs to lease now. None while the memory is full, or a payload waits for it: other workers may
    /// have memory.
    var wanted: Int {
        isDraining || memory.isFull || loads.isBlocked ? 0 : plan.wanted
    }

    /// No job starts while the results that wait to be written fill the memory.
    private var mayStart: Bool { !isDraining && resultBytes < memory.bytesMax }

    var isEmpty: Bool { attempts.isEmpty }
    var count: Int { attempts.count }

    /// Those of `leases` that are not held here.
    func unknown(of leases: [HeldLease]) -> [HeldLease] { leases.filter { attempts[$0] == nil } }
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
            var attempt = HeldAttempt(job: job, cancellation: Cancellation(), lease: lease, since: now)
            hold(job.payload.count, inline: true, &attempt)
            attempts[job.lease] = attempt
            queue.append(job.lease)
        }
        plan.leased(jobs.count, of: requested)
        return openSlots()
    }

    /// Opens slots for waiting jobs: after a lease, or when results were written whose bytes let none start.
    /// - Returns: the number of slots to start.
    mutating func openSlots() -> Int {
        guard mayStart else { return 0 }
        let further = max(0, min(plan.concurrency - activeSlots, plan.waiting))
        activeSlots += further
        return further
    }

    /// The next job for a slot; nil ends the slot. Jobs whose lease is lost are skipped (`takeLost`). A job without its
    /// payload is `loading`: `startLoaded` follows.
    mutating func startNext(now: MonotonicInstant) -> (job: LeasedJob, cancellation: Cancellation)? {
        while mayStart, let key = queue.popFirst() {
            guard var attempt = attempts[key], attempt.phase == .waiting else { continue }
            // A worker that was suspended gets here before its clocks have found that the lease is over.
            if attempt.cancellation.reason == .leaseLost || attempt.lease.stopAt <= now {
                attempts[key]?.phase = .finishing
                plan.released()
                lost.append(attempt.job)
                continue
            }
            let job = attempt.job
            attempt.job.payload = []
            attempt.since = now
            if job.hasPayload {
                attempt.start(now)
            } else {
                attempt.phase = .loading
                loads.append(key)
            }
            attempts[key] = attempt
            plan.started()
            return (job, attempt.cancellation)
        }
        activeSlots -= 1
        return nil
    }

    /// The next statement that reads payloads, if there are any to read and there is memory for them.
    mutating func nextRead() -> PayloadQueue.Read? {
        loads.nextRead(memory)
    }

    /// A payload of this length was read, and is held from now on.
    mutating func loaded(_ lease: HeldLease, bytes: Int) {
        loads.remove(lease)
        guard var attempt = attempts.removeValue(forKey: lease) else { return }
        if attempt.phase == .loading { hold(bytes, inline: false, &attempt) }
        attempts[lease] = attempt
    }

    /// The handler of a `loading` attempt starts. False: it must not, because the job was released or cancelled
    /// meanwhile, or its lease is lost (`takeLost`); its slot is free again.
    mutating func startLoaded(_ lease: HeldLease, now: MonotonicInstant) -> Bool {
        loads.remove(lease)
        guard var attempt = attempts.removeValue(forKey: lease) else {
            plan.abandoned()
            return false
        }
        defer { attempts[lease] = attempt }
        let isLost = attempt.cancellation.reason == .leaseLost || attempt.lease.stopAt <= now
        if attempt.phase == .loading, !isLost, attempt.holdsInline == false {
            attempt.start(now)
            return true
        }
        hold(0, inline: false, &attempt)
        plan.abandoned()
        if attempt.phase == .loading {
            attempt.phase = .finishing
            lost.append(attempt.job)
        }
        return false
    }

    /// Replaces the bytes that an attempt holds.
    private mutating func hold(_ bytes: Int, inline: Bool, _ attempt: inout HeldAttempt) {
        if attempt.holdsInline {
            memory.add(inline: -attempt.heldBytes)
        } else {
            memory.add(large: -attempt.heldBytes)
        }
        if inline { memory.add(inline: bytes) } else { memory.add(large: bytes) }
        attempt.heldBytes = bytes
        attempt.holdsInline = inline
    }

    /// Jobs that lost their lease before they had a slot, once each. The caller removes them.
    mutating func takeLost() -> [LeasedJob] {
        guard !lost.isEmpty else { return [] }
        defer { lost = [] }
        return lost
    }

    /// The handler returned: its slot is free, and its payload too; the result is held until it is written.
    /// - Returns: the run time of the handler.
    mutating func handlerEnded(_ lease: HeldLease, resultBytes bytes: Int = 0, now: MonotonicInstant) -> Duration {
        guard var attempt = attempts.removeValue(forKey: lease) else { return .zero }
        plan.ended(afterSeconds: (now - attempt.since).inSeconds)
        attempt.phase = .finishing
        attempt.deadline = nil
        hold(bytes, inline: false, &attempt)
        attempt.resultBytes = bytes
        resultBytes += bytes
        attempts[lease] = attempt
        return now - (attempt.startedAt ?? attempt.since)
    }

    /// Removes an attempt whose result is written, or whose lease is lost.
    mutating func remove(_ lease: HeldLease) {
        guard var attempt = attempts.removeValue(forKey: lease) else { return }
        hold(0, inline: false, &attempt)
        resultBytes -= attempt.resultBytes
    }

    /// Takes the jobs that have waited for a slot for more than `waitMax`. The caller releases them.
    mutating func releaseStale(now: MonotonicInstant) -> [LeasedJob] {
        release { $0.phase == .waiting && now - $0.since > Self.waitMax }
    }

    /// Takes the jobs that match of those whose handler has not started. The caller releases them, and wakes the slots
    /// of those that were `loading` (`loads`).
    mutating func release(where matches: (HeldAttempt) -> Bool) -> [LeasedJob] {
        var released: [LeasedJob] = []
        for (lease, attempt) in attempts where attempt.isUnstarted && matches(attempt) {
            released.append(takeUnstarted(lease, attempt))
        }
        dropReleased()
        return released
    }

    private mutating func takeUnstarted(_ lease: HeldLease, _ attempt: HeldAttempt) -> LeasedJob {
        if attempt.phase == .waiting { plan.released() }
        attempts[lease]?.phase = .finishing
        return attempt.job
    }

    /// Closes the gaps that released jobs leave in the queue. While all slots are busy, no slot drops them
    /// (`startNext`), and the queue would grow with each batch that is leased and released.
    private mutating func dropReleased() {
        guard queue.count > 2 * plan.waiting + 32 else { return }
        var waiting = FIFO<HeldLease>()
        while let lease = queue.popFirst() {
            if attempts[lease]?.phase == .waiting { waiting.append(lease) }
        }
        queue = waiting
    }

    /// Number of entries of the queue, with those of jobs that were released.
    var queuedCount: Int { queue.count }

    mutating func beginDraining() {
        isDraining = true
    }

    // MARK: Clocks

    /// The cancellations to request and the leases to renew at `now`.
    func due(
        at now: MonotonicInstant, renewingAll: Bool = false
    ) -> (cancellations: [(Cancellation, Cancellation.Reason)], renewals: [HeldLease]) {
        var cancellations: [(Cancellation, Cancellation.Reason)] = []
        var renewals: [HeldLease] = []
        for attempt in attempts.values {
            if attempt.lease.stopAt <= now {
                cancellations.append((attempt.cancellation, .leaseLost))
            } else if attempt.isRenewalDue(at: now, inAnyCase: renewingAll) {
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
            case .waiting, .loading:
                unstarted.append(takeUnstarted(request.lease, attempt))
            case .running:
                cancellations.append((attempt.cancellation, .cancelled(grace: .seconds(request.graceSeconds))))
            case .finishing: break
            }
        }
        dropReleased()
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

    var withoutPayload: LeasedJob {
        var copy = self
        copy.payload = []
        return copy
    }
}
