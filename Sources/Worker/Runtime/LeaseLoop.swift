internal import EventLoop
internal import Jobs
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values
internal import Workers

/// Leases jobs whenever there is room for them.
///
/// A full batch is followed by another at once. After a short one the queues are empty, and the loop sleeps until it is
/// notified or its poll is due, whichever comes first. Before the first such sleep it says in PostgreSQL that it waits
/// (only then does anybody notify) and looks once more, so that no job slips in between. While it is busy for a while
/// it takes that back: notifying a busy worker would cost and bring nothing.
final class LeaseLoop: Sendable {
    /// Full batches in a row after which the worker counts as busy.
    private static let busyAfter = 8
    /// Jobs made ready by one poll.
    private static let promotedMax: Int32 = 100
    /// Workers that wait for the rate of a queue come back within this time, not all at once.
    private static let rateJitter = Duration.milliseconds(20)
    /// Pauses after errors.
    private static let backoff = CappedBackoff(first: .milliseconds(100), cap: .seconds(5))

    struct Options: Sendable {
        /// Ids of queues are looked up by these names; nil: all.
        var queues: [String]?
        var pollInterval: Duration
        var leaseDuration: Duration
    }

    /// What can pause the whole worker.
    enum PauseSource {
        case pauseState, file
    }

    private struct State {
        var excludedTypes: Set<Int32> = []
        /// Of `options.queues`, those that exist.
        var queueIDs: [Int32] = []
        var isStopping = false
        var pausedBy: Set<PauseSource> = []
        /// There may be something new to lease, or nothing more is to be leased.
        var hasNews = false
    }

    private let options: Options
    private let store: JobStore
    private let registry: WorkerRegistry
    private let runner: AttemptRunner
    private let identity: WorkerIdentity
    private let loop: Loop
    private let logger: Logger
    /// The runner's progress, and what is new.
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

    /// Jobs may have become ready in one of these queues. Call it on the loop.
    func notified(of queues: some Sequence<Substring>) {
        if let own = options.queues, !queues.contains(where: { queue in own.contains { $0 == queue } }) { return }
        tellNews { _ in }
    }

    /// Notifications may have been missed, or handlers have changed: every type is tried again.
    func lookAgain() {
        tellNews { $0.excludedTypes = [] }
    }

    /// Nothing is leased while any source pauses the worker.
    func setPaused(_ isPaused: Bool, by source: PauseSource) {
        tellNews { state in
            if isPaused { state.pausedBy.insert(source) } else { state.pausedBy.remove(source) }
        }
    }

    /// Leases nothing more.
    func stop() {
        tellNews { $0.isStopping = true }
    }

    private func tellNews(_ change: (inout State) -> Void) {
        state.withLock { state in
            change(&state)
            state.hasNews = true
        }
        wakeSignal.wake()
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Returns when it was stopped.
    func run() async {
        var backoff = Self.backoff
        var fullBatches = 0
        /// As whom PostgreSQL has been told that this worker waits.
        var waitingAs: Int64?
        var promotion = ScanCursor()
        var cursor = FairnessCursor()
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
                let (count, nextStart) = try await lease(wanted, &cursor)
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
                var nap = options.pollInterval * Double.random(in: 0.8...1.2)
                if let nextStart { nap = min(nap, nextStart + Self.rateJitter * Double.random(in: 0...1)) }
                let isNew = await sleep(until: .now() + nap)
                if !isNew { try await promote(&promotion) }
            } catch {
                logger.warning("lease failed; retrying", ["error": .error(error)])
                await sleep(until: .now() + backoff.failed(random: .random(in: 0...1)))
            }
        }
    }

    /// Wakes up early for what is new; that a job has ended is not. Whether there was anything.
    @discardableResult
    private func sleep(until instant: MonotonicInstant) async -> Bool {
        while !state.withLock({ $0.hasNews }) {
            guard await wakeSignal.wait(until: instant) else { return false }
        }
        state.withLock { $0.hasNews = false }
        return true
    }

    /// Makes ready what is due. That is the reaper's work, and nothing is found while one runs; without one, jobs that
    /// wait out a backoff start with the next poll.
    private func promote(_ floor: inout ScanCursor) async throws(PostgresError) {
        let batch = try await store.promoteDue(atMost: Self.promotedMax, from: floor.lowerBound)
        if batch.count < Self.promotedMax { floor.drained(at: batch.moment) }
    }

    private func lease(
        _ count: Int, _ cursor: inout FairnessCursor
    ) async throws(PostgresError) -> (count: Int, nextStart: Duration?) {
        let queues = try await queueIDs()
        // None of its queues has ever had a job.
        if let queues, queues.isEmpty { return (0, nil) }
        let request = LeaseRequest(
            queues: queues, excludedTypes: state.withLock { Array($0.excludedTypes) }, count: count,
            worker: identity.id, leaseSeconds: options.leaseDuration.inSeconds)
        let sentAt = MonotonicInstant.now()
        let answer = try await store.lease(request, cursor: &cursor)
        let unknown = runner.take(answer.jobs, asked: count, sentAt: sentAt)
        if !unknown.isEmpty { state.withLock { $0.excludedTypes.formUnion(unknown) } }
        return (answer.jobs.count, answer.nextStart)
    }

    /// nil: all. A queue comes into being with its first job, so those that are missing are looked for each time.
    private func queueIDs() async throws(PostgresError) -> [Int32]? {
        guard let names = options.queues else { return nil }
        let known = state.withLock { $0.queueIDs }
        if known.count == names.count { return known }
        let found = try await store.queueIDs(names)
        state.withLock { $0.queueIDs = found }
        return found
    }
}
