internal import EventLoop
internal import Jobs
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values
internal import Workers

/// Runs leased jobs: gives them slots and handlers, and has their ends written down.
///
/// A slot is a task that runs one job after another for as long as jobs wait, so that a job costs no task of its own.
/// Ends are written in batches, and a slot does not wait for that: the lease is kept until it is done.
final class AttemptRunner: Sendable {
    /// Told on the loop whenever a slot becomes free or the last attempt has been forgotten.
    let progress: WakeSignal

    private let loop: Loop
    private let leaseDuration: Duration
    private let finisher: Finisher
    private let reporter: ProgressReporter
    private let logger: Logger
    private let waits: MetricSeries<Histogram>
    private let durations: MetricSeries<Histogram>
    private let lost: Counter
    private let tracker: Mutex<AttemptTracker>
    private let handlers: Mutex<HandlerTable>
    private let paused = Mutex(PausedScopes())

    init(
        plan: LeasePlan, handlers: HandlerTable, leaseDuration: Duration, finisher: Finisher,
        reporter: ProgressReporter, on loop: Loop, registry: MetricRegistry, logger: Logger
    ) {
        tracker = Mutex(AttemptTracker(plan: plan))
        self.handlers = Mutex(handlers)
        self.leaseDuration = leaseDuration
        self.finisher = finisher
        self.reporter = reporter
        self.loop = loop
        self.logger = logger
        progress = WakeSignal(on: loop)
        waits = registry.histograms(WorkerMetrics.wait)
        durations = registry.histograms(WorkerMetrics.duration)
        lost = registry.counters(WorkerMetrics.leaseLost).with()
    }

    // MARK: Leasing

    /// How many jobs to lease now; 0: none before `progress`.
    var wanted: Int {
        // Ends that wait to be written down are jobs in hand, too: a slow disk slows the leasing down.
        guard finisher.backlog < 2 * JobStore.finishedMax else { return 0 }
        return tracker.withLock { $0.isDraining ? 0 : $0.plan.wanted }
    }

    /// How many jobs run.
    var runningCount: Int { tracker.withLock { $0.runningCount } }

    /// Nothing is held any more: all ends have been written down, or are lost.
    var isIdle: Bool { tracker.withLock { $0.isEmpty } }

    /// Takes jobs that a statement has leased, sent at `sentAt`, which had asked for `asked`. Returns the types that
    /// no handler here can run; their jobs go back to their queue.
    func take(_ jobs: [LeasedJob], asked: Int, sentAt: MonotonicInstant) -> Set<Int32> {
        var unknown: Set<Int32> = []
        let table = handlers.withLock { $0 }
        for job in jobs {
            waits.with(job.queue).observe(job.waitSeconds)
            if table.handler(for: job.type) == nil { unknown.insert(job.typeID) }
        }
        let slots = tracker.withLock { tracker in
            tracker.add(jobs, asked: asked, sentAt: sentAt, leaseDuration: leaseDuration, now: .now())
        }
        // A slot begins in a later turn of the loop.
        for _ in 0..<slots { loop.spawn { await self.runSlot() } }
        releasePaused()
        return unknown
    }

    /// Uses another table from the next attempt on.
    func use(_ table: HandlerTable) {
        handlers.withLock { $0 = table }
    }

    /// The handlers of the moment.
    var table: HandlerTable { handlers.withLock { $0 } }

    /// What it can run, by the names of the handlers.
    var typeNames: [String] { handlers.withLock { $0.names } }

    // MARK: Running

    private func runSlot() async {
        while let (job, stop) = startNext() {
            let result: AttemptResult
            if let handler = handlers.withLock({ $0.handler(for: job.type) }) {
                result = await handler.run(job, stop: stop) { [reporter] progress in
                    reporter.report(progress, of: job.lease)
                }
            } else {
                logger.warning("no handler here runs this type: the job goes back to its queue", fields(of: job))
                result = .released
            }
            end(job, stop, result)
        }
        progress.wake()
    }

    private func startNext() -> (job: LeasedJob, stop: Cancellation)? {
        let (next, lost) = tracker.withLock { ($0.startNext(now: .now()), $0.takeLost()) }
        for job in lost { forget(job, .leaseLost) }
        return next
    }

    /// The slot is free; the end is handed to the finisher.
    private func end(_ job: LeasedJob, _ stop: Cancellation, _ result: AttemptResult) {
        let duration = tracker.withLock { $0.ended(job.lease, now: .now()) }
        durations.with(job.queue).observe(duration)
        let final = Self.final(result, stop.reason, job)
        logger.debug("an attempt has ended", fields(of: job).merged(with: ["duration_ms": .milliseconds(duration)]))
        guard let final else { return forget(job, .leaseLost) }
        guard reporter.hasUnwritten(job.lease) else { return write(final, of: job) }
        loop.spawn { [self] in
            await reporter.writeLast(of: job.lease)
            write(final, of: job)
        }
    }

    /// What is written about an attempt that was asked to stop. nil: nothing may be.
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

    private func write(_ result: AttemptResult, of job: LeasedJob) {
        let attempt = FinishedAttempt(lease: job.lease, result: result)
        let leaseEnd: @Sendable () -> MonotonicInstant? = { self.tracker.withLock { $0.end(of: job.lease) } }
        finisher.finish(attempt, until: leaseEnd) { [self] answer in
            switch (answer, result) {
            case (.failed, .retry(let error, _)), (.failed, .failed(let error)):
                logger.error("a job has failed", fields(of: job).merged(with: ["error": .string(error)]))
            case (.retried, .retry(let error, _)):
                logger.warning("an attempt has failed", fields(of: job).merged(with: ["error": .string(error)]))
            default: break
            }
            forget(job, answer)
        }
    }

    private func forget(_ job: LeasedJob, _ answer: FinishAnswer) {
        tracker.withLock { $0.forget(job.lease) }
        if answer == .leaseLost {
            lost.add(1)
            logger.warning("a lease was lost: nothing is written about the attempt", fields(of: job))
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

    /// Stops what has run out of time, gives back what waits too long, and names the leases to renew.
    func tick(now: MonotonicInstant) -> [HeldLease] {
        let (due, stale) = tracker.withLock { ($0.due(at: now), $0.releaseStale(now: now)) }
        for (stop, reason) in due.stops { stop.request(reason) }
        for job in stale { write(.released, of: job) }
        return due.renewals
    }

    /// The answer to a renewal of `leases`, sent at `sentAt`.
    func renewed(_ leases: [HeldLease], _ held: [HeldLease: RenewedLease], sentAt: MonotonicInstant) {
        let lost = tracker.withLock { $0.renewed(leases, held: held.keys, sentAt: sentAt) }
        for stop in lost { stop.request(.leaseLost) }
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

    /// Starts nothing more, and gives back at once what has not begun.
    func drain() {
        tracker.withLock { $0.beginDraining() }
        releaseUnstarted()
    }

    /// Gives back what has not begun.
    func releaseUnstarted() {
        let unstarted = tracker.withLock { $0.release { _ in true } }
        for job in unstarted { write(.released, of: job) }
    }

    /// From now on, what is in one of these scopes and has not begun does not begin here.
    func pause(_ scopes: PausedScopes) {
        paused.withLock { $0 = scopes }
        releasePaused()
    }

    private func releasePaused() {
        let scopes = paused.withLock { $0 }
        guard !scopes.isEmpty else { return }
        let unstarted = tracker.withLock { $0.release { scopes.contain($0.job) } }
        for job in unstarted { write(.released, of: job) }
    }

    /// Stops those of these jobs that run here, and gives up at once those that have not begun. To hear of an order again
    /// changes nothing.
    func cancel(_ orders: [CancelRequest]) {
        guard !orders.isEmpty else { return }
        let (stops, unstarted) = tracker.withLock { $0.cancel(orders) }
        for (stop, reason) in stops { stop.request(reason) }
        for job in unstarted { write(.released, of: job) }
    }

    /// Asks everything that runs to stop.
    func stopRunning() {
        for stop in tracker.withLock({ $0.running }) { stop.request(.shutdown) }
    }
}
