internal import EventLoop
internal import Jobs
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values
internal import Workers

/// Leases jobs while the worker has capacity for them.
///
/// The loop is in one of four states:
/// - *leasing*: it sends one lease statement after another while full batches are returned.
/// - *waiting*: the last batch was short, so the queues are empty. It sleeps until a notification or the next poll,
///   whichever is first. Before the first such sleep it sets `waiting` in its `worker` row, because only waiting
///   workers are notified, and leases once more, so that a job created in between is not missed. After `busyAfter` full
///   batches it clears `waiting` again: a busy worker gains nothing from notifications.
/// - *at capacity*: `AttemptRunner.wanted` is 0. It sleeps until a slot is free.
/// - *paused*: it sends no lease statement. PostgreSQL enforces a pause with or without this.
///
/// PostgreSQL's clock decides which jobs are due, and when a rate limit allows the next job. The loop's own clock
/// (monotonic) only measures pauses. After a failed statement it retries with a pause of 100 ms to 5 s.
final class LeaseLoop: Sendable {
    /// Consecutive full batches after which the worker is busy, and is no longer notified.
    private static let busyAfter = 8
    /// Maximum number of due jobs that one poll moves to their queues.
    private static let promotedMax: Int32 = 100
    /// Maximum jitter added to the wait for a queue's rate limit, so that workers do not lease all at once.
    private static let rateJitter = Duration.milliseconds(20)
    /// Pauses after failed statements.
    private static let backoff = CappedBackoff(first: .milliseconds(100), cap: .seconds(5))

    struct Options: Sendable {
        /// Names of the queues to lease from; nil: all.
        var queues: [String]?
        var pollInterval: Duration
        var leaseDuration: Duration
    }

    /// The sources of a pause of the whole worker.
    enum PauseSource {
        case pauseState, file
    }

    private struct State {
        /// Ids of job types without a handler in this worker.
        var excludedTypes: Set<Int32> = []
        /// Ids of those of `options.queues` that exist.
        var queueIDs: [Int32] = []
        var isStopping = false
        var pausedBy: Set<PauseSource> = []
        /// Something has changed since the last sleep: a notification, a pause, or the stop.
        var hasChanged = false
    }

    private let options: Options
    private let store: JobStore
    private let registry: WorkerRegistry
    private let runner: AttemptRunner
    private let identity: WorkerIdentity
    private let loop: Loop
    private let logger: Logger
    /// The runner's progress, and changes of `state`.
    private let wakeSignal: WakeSignal
    private let state = Mutex(State())

    init(
        options: Options, store: JobStore, registry: WorkerRegistry, runner: AttemptRunner, identity: WorkerIdentity,
        on loop: Loop, logger: Logger
    ) {
        self.options = options
        self.store = store
        self.registry = registry
        self.runner = runner
        self.identity = identity
        self.loop = loop
        self.logger = logger
        wakeSignal = runner.progress
    }

    /// Jobs may be ready in these queues. Call it on the loop.
    func notified(of queues: some Sequence<Substring>) {
        if let own = options.queues, !queues.contains(where: { queue in own.contains { $0 == queue } }) { return }
        change { _ in }
    }

    /// Leases at once, and jobs of every type: notifications may have been missed, or the handlers have changed.
    func pollNow() {
        change { $0.excludedTypes = [] }
    }

    /// Sets or removes the pause of one source. Nothing is leased while any source pauses the worker.
    func setPaused(_ isPaused: Bool, by source: PauseSource) {
        change { state in
            if isPaused { state.pausedBy.insert(source) } else { state.pausedBy.remove(source) }
        }
    }

    /// Stops leasing for good.
    func stop() {
        change { $0.isStopping = true }
    }

    private func change(_ body: (inout State) -> Void) {
        state.withLock { state in
            body(&state)
            state.hasChanged = true
        }
        wakeSignal.wake()
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Runs until `stop`.
    func run() async {
        var backoff = Self.backoff
        var fullBatches = 0
        /// The worker id whose row is marked as waiting.
        var waitingAs: Int64?
        var promotionCursor = ScanCursor()
        var fairnessCursor = FairnessCursor()
        while !isStopping {
            let wanted = runner.wanted
            guard wanted > 0 else {
                await wakeSignal.wait()
                continue
            }
            do throws(PostgresError) {
                if state.withLock({ !$0.pausedBy.isEmpty }) {
                    if let id = waitingAs { try await registry.setWaiting(id: id, false) }
                    waitingAs = nil
                    await wakeSignal.wait()
                    continue
                }
                let (count, nextStart) = try await lease(wanted, &fairnessCursor)
                backoff.succeeded()
                if count == wanted {
                    fullBatches += 1
                    if let id = waitingAs, fullBatches >= Self.busyAfter {
                        try await registry.setWaiting(id: id, false)
                        waitingAs = nil
                    }
                    continue
                }
                fullBatches = 0
                let id = identity.id
                if waitingAs != id {
                    try await registry.setWaiting(id: id, true)
                    waitingAs = id
                    continue
                }
                var pause = options.pollInterval * Double.random(in: 0.8...1.2)
                if let nextStart { pause = min(pause, nextStart + Self.rateJitter * Double.random(in: 0...1)) }
                let hasChanged = await sleep(until: .now() + pause)
                if !hasChanged { try await promote(&promotionCursor) }
            } catch {
                logger.warning("lease failed; retrying", ["error": .error(error)])
                await sleep(until: .now() + backoff.failed(random: .random(in: 0...1)))
            }
        }
    }

    /// Sleeps until `instant`, or until something changes; the end of a job does not end the sleep.
    /// - Returns: whether something has changed.
    @discardableResult
    private func sleep(until instant: MonotonicInstant) async -> Bool {
        while !state.withLock({ $0.hasChanged }) {
            guard await wakeSignal.wait(until: instant) else { return false }
        }
        state.withLock { $0.hasChanged = false }
        return true
    }

    /// Moves due jobs to their queues. While a reaper runs it does this, and nothing is found here; without a reaper,
    /// jobs whose backoff is over start with the next poll.
    private func promote(_ cursor: inout ScanCursor) async throws(PostgresError) {
        let batch = try await store.promoteDue(atMost: Self.promotedMax, from: cursor.lowerBound)
        if batch.count < Self.promotedMax { cursor.drained(at: batch.moment) }
    }

    private func lease(
        _ count: Int, _ cursor: inout FairnessCursor
    ) async throws(PostgresError) -> (count: Int, nextStart: Duration?) {
        let queues = try await queueIDs()
        // None of the configured queues exists yet.
        if let queues, queues.isEmpty { return (0, nil) }
        let request = LeaseRequest(
            queues: queues, excludedTypes: state.withLock { Array($0.excludedTypes) }, count: count,
            worker: identity.id, leaseSeconds: options.leaseDuration.inSeconds)
        let sentAt = MonotonicInstant.now()
        let answer = try await store.lease(request, cursor: &cursor)
        let unknown = runner.accept(answer.jobs, requested: count, sentAt: sentAt)
        if !unknown.isEmpty { state.withLock { $0.excludedTypes.formUnion(unknown) } }
        return (answer.jobs.count, answer.nextStart)
    }

    /// The ids of the configured queues; nil: all queues. A queue is created with its first job, so the lookup repeats
    /// until all of them exist.
    private func queueIDs() async throws(PostgresError) -> [Int32]? {
        guard let names = options.queues else { return nil }
        let known = state.withLock { $0.queueIDs }
        if known.count == names.count { return known }
        let found = try await store.queueIDs(names)
        state.withLock { $0.queueIDs = found }
        return found
    }
}
