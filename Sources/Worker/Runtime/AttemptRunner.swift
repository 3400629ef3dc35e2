internal import EventLoop
internal import Jobs
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values
internal import Workers

/// Runs leased jobs: assigns them slots and handlers, and hands their results to the `Finisher`.
///
/// A slot is a task that runs one job after another while jobs wait, so a job needs no task of its own. Results are
/// written in batches, and a slot does not wait for them: the lease is renewed until its result is written.
/// `AttemptTracker` makes the decisions; this class performs them.
final class AttemptRunner: Sendable {
    /// Sent on the loop when a slot becomes free and when an attempt is removed.
    let progress: WakeSignal

    private let loop: Loop
    private let leaseDuration: Duration
    private let finisher: Finisher
    private let handoff: SlotHandoff
    private let loader: PayloadLoader
    private let reporter: ProgressReporter
    private let logger: Logger
    private let successLog: SuccessLog
    private let waits: MetricSeries<Histogram>
    private let durations: MetricSeries<Histogram>
    private let lost: Counter
    private let unacknowledged: Counter
    private let tracker: Mutex<AttemptTracker>
    private let handlers: Mutex<HandlerTable>
    private let paused = Mutex(PausedScopes())

    init(
        plan: LeasePlan, memory: PayloadMemory, handlers: HandlerTable, leaseDuration: Duration, finisher: Finisher,
        loader: PayloadLoader, handoff: SlotHandoff, progress: WakeSignal, reporter: ProgressReporter, on loop: Loop,
        registry: MetricRegistry, logger: Logger
    ) {
        tracker = Mutex(AttemptTracker(plan: plan, memory: memory))
        self.handlers = Mutex(handlers)
        self.leaseDuration = leaseDuration
        self.finisher = finisher
        self.handoff = handoff
        self.progress = progress
        self.loader = loader
        self.reporter = reporter
        self.loop = loop
        self.logger = logger
        successLog = SuccessLog(logger: logger)
        waits = registry.histograms(WorkerMetrics.wait)
        durations = registry.histograms(WorkerMetrics.duration)
        lost = registry.counters(WorkerMetrics.leaseLost).with()
        unacknowledged = registry.counters(WorkerMetrics.resultsUnacknowledged).with()
    }

    // MARK: Leasing

    /// The number of jobs to lease now; 0: none before the next `progress`.
    var wanted: Int {
        // Jobs whose results wait to be written count too: a slow disk slows the leasing down.
        guard finisher.backlog < 2 * JobStore.finishedMax else { return 0 }
        return tracker.withLock { $0.wanted }
    }

    /// The number of jobs in their handlers.
    var runningCount: Int { tracker.withLock { $0.runningCount } }

    /// Whether no attempt is held: every result is written, or its lease is lost.
    var isIdle: Bool { tracker.withLock { $0.isEmpty } }

    /// Accepts the jobs that a lease statement returned.
    /// - Parameters:
    ///   - requested: the number of jobs that the statement asked for.
    ///   - sentAt: before the statement was sent.
    /// - Returns: the types without a handler in this worker; their jobs are released.
    func accept(_ jobs: [LeasedJob], requested: Int, sentAt: MonotonicInstant) -> Set<Int32> {
        var unknown: Set<Int32> = []
        let table = handlers.withLock { $0 }
        for job in jobs {
            waits.with(job.metricsQueue).observe(job.waitSeconds)
            if table.handler(for: job.type) == nil { unknown.insert(job.typeID) }
        }
        let slots = tracker.withLock { tracker in
            tracker.add(jobs, requested: requested, sentAt: sentAt, leaseDuration: leaseDuration, now: .now())
        }
        start(slots)
        releasePaused()
        return unknown
    }

    /// The task of a slot starts in a later iteration of the loop.
    private func start(_ slots: Int) {
        for _ in 0..<slots { loop.spawn { await self.runSlot() } }
    }

    /// Replaces the handlers from the next attempt on. Running attempts keep theirs.
    func use(_ table: HandlerTable) {
        handlers.withLock { $0 = table }
    }

    /// The current handlers.
    var table: HandlerTable { handlers.withLock { $0 } }

    /// Those of `leases` that this worker knows nothing of.
    func unknown(of leases: [HeldLease]) -> [HeldLease] {
        tracker.withLock { $0.unknown(of: leases) }
    }

    // MARK: Running

    private func runSlot() async {
        while let (leased, cancellation) = startNext() {
            guard let job = await withPayload(leased, cancellation) else { continue }
            let result: AttemptResult
            if let handler = handlers.withLock({ $0.handler(for: job.type) }) {
                result = await handler.run(job, cancellation: cancellation) { [reporter] progress in
                    reporter.report(progress, of: job.lease)
                }
            } else {
                logger.warning("no handler for this job type; releasing the job", fields(of: job))
                result = .released
            }
            end(leased, cancellation, result)
        }
        progress.wake()
    }

    /// The job with its payload, which is read now if it did not come with the lease; nil: it must not start.
    private func withPayload(_ leased: LeasedJob, _ cancellation: Cancellation) async -> LeasedJob? {
        guard !leased.hasPayload else { return leased }
        let lease = leased.lease
        cancellation.onRequest { [loader] _ in loader.abandon(lease) }
        let payload = await loader.payload(of: lease) {
            if cancellation.reason == nil { readPayloads() } else { loader.abandon(lease) }
        }
        let (starts, lost) = tracker.withLock { tracker in
            (tracker.startLoaded(lease, now: .now()), tracker.takeLost())
        }
        for job in lost { remove(job, .leaseLost) }
        // The next in the queue may fit where this one did not.
        if !starts { readPayloads() }
        guard starts else { return nil }
        guard let payload else {
            // The job was deleted, and its lease with it or without it.
            _ = tracker.withLock { $0.handlerEnded(lease, now: .now()) }
            remove(leased, .leaseLost)
            return nil
        }
        var job = leased
        job.payload = payload
        return job
    }

    /// Reads the payloads that attempts wait for, while there is memory for them.
    private func readPayloads() {
        guard let read = tracker.withLock({ $0.nextRead() }) else { return }
        loop.spawn { [self] in
            let rest = await loader.read(read) { lease, bytes in
                tracker.withLock { $0.loaded(lease, bytes: bytes) }
            }
            tracker.withLock { $0.loads.finished(rest: rest) }
            progress.wake()
            readPayloads()
        }
    }

    private func startNext() -> (job: LeasedJob, cancellation: Cancellation)? {
        let (next, lost) = tracker.withLock { ($0.startNext(now: .now()), $0.takeLost()) }
        for job in lost { remove(job, .leaseLost) }
        return next
    }

    /// Frees the slot and hands the result to the finisher, after the last progress report.
    private func end(_ leased: LeasedJob, _ cancellation: Cancellation, _ result: AttemptResult) {
        // What waits for its result to be written does not need the payload.
        let job = leased.withoutPayload
        let duration = tracker.withLock {
            $0.handlerEnded(job.lease, resultBytes: result.byteCount, now: .now())
        }
        readPayloads()
        durations.with(job.metricsQueue).observe(duration)
        let final = Self.final(result, cancellation.reason, job)
        logger.debug("attempt ended", fields(of: job).merged(with: ["duration_ms": .milliseconds(duration)]))
        guard let final else { return remove(job, .leaseLost) }
        guard reporter.hasUnwritten(job.lease) else { return write(final, of: job, after: duration) }
        loop.spawn { [self] in
            await reporter.writeLast(of: job.lease)
            write(final, of: job, after: duration)
        }
    }

    /// The result to write, after the reason for a cancellation is applied; nil: nothing may be written.
    private static func final(
        _ result: AttemptResult, _ reason: Cancellation.Reason?, _ job: LeasedJob
    ) -> AttemptResult? {
        switch (reason, result) {
        case (.leaseLost, _): nil
        case (nil, _), (_, .succeeded): result
        case (.deadline, _): .retry(error: "exceeded its deadline of \(job.timeoutSeconds) s", afterSeconds: nil)
        case (.shutdown, _), (.cancelled, _): .released
        }
    }

    /// - Parameter duration: of the handler.
    private func write(_ result: AttemptResult, of job: LeasedJob, after duration: Duration = .zero) {
        let attempt = FinishedAttempt(lease: job.lease, result: result)
        let leaseEnd: @Sendable () -> MonotonicInstant? = { self.tracker.withLock { $0.leaseEnd(of: job.lease) } }
        finisher.finish(attempt, until: leaseEnd) { [self] answer in
            switch (answer, result) {
            case (.failed, .retry(let error, _)), (.failed, .failed(let error)):
                logger.error("job failed", fields(of: job).merged(with: ["error": .string(error)]))
            case (.retried, .retry(let error, _)):
                logger.warning(
                    "attempt failed; the job will be retried", fields(of: job).merged(with: ["error": .string(error)]))
            case (.succeeded, _):
                successLog.succeeded {
                    fields(of: job).merged(with: ["duration_ms": .milliseconds(duration)])
                }
            default: break
            }
            remove(job, answer)
        }
    }

    private func remove(_ job: LeasedJob, _ answer: FinishAnswer) {
        let slots = tracker.withLock { tracker in
            tracker.remove(job.lease)
            return tracker.openSlots()
        }
        start(slots)
        readPayloads()
        handoff.ended(job, answer)
        switch answer {
        case .leaseLost:
            lost.add(1)
            logger.warning("lease lost; discarding the result of the attempt", fields(of: job))
        case .unacknowledged:
            unacknowledged.add(1)
            logger.warning(
                "PostgreSQL did not acknowledge the result of the attempt, and the lease is gone: the result was "
                    + "written, or the lease was lost before",
                fields(of: job))
        default: break
        }
        progress.wake()
    }

    private func fields(of job: LeasedJob) -> LogFields {
        [
            "job_id": .text(job.id), "type": .string(job.type), "queue": .string(job.queue),
            "attempt": .integer(job.attempt),
        ]
    }

    // MARK: Clocks

    /// Cancels attempts whose deadline or lease is over, and releases jobs that have waited too long for a slot.
    /// - Parameter renewingAll: whether all leases are to be renewed, also those that are not due.
    /// - Returns: the leases to renew.
    func tick(now: MonotonicInstant, renewingAll: Bool = false) -> [HeldLease] {
        successLog.flush(at: now)
        let (due, stale) = tracker.withLock { ($0.due(at: now, renewingAll: renewingAll), $0.releaseStale(now: now)) }
        for (cancellation, reason) in due.cancellations { cancellation.request(reason) }
        for job in stale { write(.released, of: job) }
        return due.renewals
    }

    /// Applies the result of a renewal: `held` of the `requested` leases are still held.
    /// - Parameter sentAt: before the statement was sent.
    func applyRenewal(of requested: [HeldLease], held: [HeldLease: RenewedLease], sentAt: MonotonicInstant) {
        let requested = requested.filter { held[$0] != .locked }
        let renewed = held.filter { $0.value != .locked }.keys
        let lost = tracker.withLock { $0.applyRenewal(of: requested, held: renewed, sentAt: sentAt) }
        for cancellation in lost { cancellation.request(.leaseLost) }
        cancel(
            held.compactMap { lease, renewed in
                if case .ending(let seconds) = renewed {
                    CancelRequest(lease: lease, graceSeconds: seconds)
                } else {
                    nil
                }
            })
    }

    // MARK: Stopping

    /// Starts no further job, and releases the waiting ones.
    func drain() {
        tracker.withLock { $0.beginDraining() }
        releaseUnstarted()
    }

    /// Releases the jobs without a slot.
    func releaseUnstarted() {
        release(tracker.withLock { $0.release { _ in true } })
    }

    /// Replaces the paused scopes. Waiting jobs in one of them are released.
    func pause(_ scopes: PausedScopes) {
        paused.withLock { $0 = scopes }
        releasePaused()
    }

    private func releasePaused() {
        let scopes = paused.withLock { $0 }
        guard !scopes.isEmpty else { return }
        release(tracker.withLock { $0.release { scopes.contain($0.job) } })
    }

    /// Cancels those of these jobs that run here, and releases those that wait for a slot. Idempotent.
    func cancel(_ requests: [CancelRequest]) {
        guard !requests.isEmpty else { return }
        let (cancellations, unstarted) = tracker.withLock { $0.cancel(requests) }
        for (cancellation, reason) in cancellations { cancellation.request(reason) }
        release(unstarted)
    }

    private func release(_ unstarted: [LeasedJob]) {
        for job in unstarted {
            loader.abandon(job.lease)
            write(.released, of: job)
        }
    }

    /// Cancels everything that runs, because the worker stops.
    func stopRunning() {
        for cancellation in tracker.withLock({ $0.running }) { cancellation.request(.shutdown) }
    }
}
