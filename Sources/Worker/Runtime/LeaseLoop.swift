internal import EventLoop
internal import Jobs
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values
internal import Workers

/// Leases jobs while the worker has capacity for them.
///
/// The loop is in one of five states:
/// - *leasing*: it sends one lease statement after another while full batches are returned.
/// - *waiting*: the last batch was short, so no job may start now. It sleeps until a notification, the end of an own
///   attempt that lets another job start (`SlotHandoff`), the instant at which a queue's rate does (`RateTimers`), or
///   the next poll, whichever is first. Before the first such sleep it sets `waiting` in its `worker` row, because only
///   waiting workers are notified, and leases once more, so that a job created in between is not missed. After
///   `busyAfter` full batches, or `busyAfterDuration` at capacity, it clears `waiting` again: a busy worker gains
///   nothing from notifications.
/// - *at capacity*: `AttemptRunner.wanted` is 0. It sleeps until a slot is free. Jobs that a limit lets start meanwhile
///   are for other workers.
/// - *unconfirmed*: the last heartbeat that has arrived is too old (`WorkerIdentity.mayLease`). It asks for
///   another one, and waits.
/// - *paused*: it sends no lease statement. PostgreSQL enforces a pause with or without this.
///
/// PostgreSQL's clock decides which jobs are due, and when a rate limit allows the next job. The loop's own clock
/// (monotonic) only measures pauses. After a failed statement it retries with a pause of 100 ms to 5 s.
final class LeaseLoop: Sendable {
    /// Consecutive full batches after which the worker is busy, and is no longer notified.
    private static let busyAfter = 8
    private static let busyAfterDuration = Duration.seconds(1)
    /// A look at all queues takes at most one in this many parts of the time.
    private static let pollShare = 20
    /// Maximum number of queues that a lease after a wake-up is restricted to.
    private static let hintedMax = 32
    /// Maximum number of due jobs that one poll moves to their queues.
    private static let promotedMax: Int32 = 100
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
        /// Ids of job types without a handler in this worker; nil: to be read.
        var excludedTypes: Set<Int32>?
        /// Ids of those of `options.queues` that exist; empty: to be read.
        var queueIDs: [Int32] = []
        /// When to read them again: a queue that was removed and created again has another id.
        var nextResolution = MonotonicInstant.now()
        var isStopping = false
        var pausedBy: Set<PauseSource> = []
        /// Something has changed since the last sleep: a notification, a pause, or the stop.
        var hasChanged = false
        /// The queues in which a job may start, if nothing else has changed since the last lease.
        var hinted: Set<String>? = []
    }

    private let options: Options
    private let store: JobStore
    private let registry: WorkerRegistry
    private let runner: AttemptRunner
    private let handoff: SlotHandoff
    private let identity: WorkerIdentity
    private let confirmIdentity: @Sendable () -> Void
    private let loop: Loop
    private let logger: Logger
    /// The runner's progress, and changes of `state`.
    private let wakeSignal: WakeSignal
    private let state = Mutex(State())

    /// - Parameter confirmIdentity: sends a heartbeat soon.
    init(
        options: Options, store: JobStore, registry: WorkerRegistry, runner: AttemptRunner, handoff: SlotHandoff,
        identity: WorkerIdentity, confirmIdentity: @escaping @Sendable () -> Void, on loop: Loop, logger: Logger
    ) {
        self.options = options
        self.store = store
        self.registry = registry
        self.runner = runner
        self.handoff = handoff
        self.identity = identity
        self.confirmIdentity = confirmIdentity
        self.loop = loop
        self.logger = logger
        wakeSignal = runner.progress
    }

    /// Jobs may be ready, or may start, in these queues. Call it on the loop.
    func notified(of queues: some Sequence<QueueSignal>) {
        let meant = queues.filter { options.queues?.contains($0.queue) ?? true }
        guard !meant.isEmpty else { return }
        let changed = meant.lazy.filter(\.hasNewLimits).map(\.queue)
        for queue in changed {
            handoff.limitsChanged(of: queue)
            store.subqueues.forgetQueue(queue)
        }
        state.withLock { state in
            if !changed.isEmpty { state.queueIDs = [] }
            state.hinted?.formUnion(meant.lazy.map(\.queue))
            state.hasChanged = true
        }
        wakeSignal.wake()
    }

    /// Leases at once, and reads the types and the queues again: notifications may have been missed, or the handlers
    /// have changed.
    func pollNow() {
        change { state in
            state.excludedTypes = nil
            state.queueIDs = []
        }
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
            state.hinted = nil
            state.hasChanged = true
        }
        wakeSignal.wake()
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Runs until `stop`.
    func run() async {
        var turn = Turn()
        while !isStopping {
            do throws(PostgresError) {
                try await next(&turn)
            } catch {
                logger.warning("lease failed; retrying", ["error": .error(error)])
                await pause(until: .now() + turn.backoff.failed(random: .random(in: 0...1)))
            }
        }
        giveUp(&turn)
    }

    /// What the loop remembers from one lease to the next.
    private struct Turn {
        var backoff = LeaseLoop.backoff
        var fullBatches = 0
        /// The worker id whose row is marked as waiting.
        var waitingAs: Int64?
        /// The last look at all queues has found nothing more that may start.
        var isExhausted = false
        /// When to look at all queues again, in any case.
        var nextPoll = MonotonicInstant.now()
        var promotionCursor = ScanCursor()
        var fairnessCursor = FairnessCursor()
        /// For leases from hinted queues.
        var hintedCursor = FairnessCursor()
        var rates = RateTimers()
        var reconciler = LeaseReconciler(now: .now())
    }

    /// One lease, or one sleep in which nothing is leased.
    private func next(_ turn: inout Turn) async throws(PostgresError) {
        if turn.reconciler.isDue(at: .now()) {
            do throws(PostgresError) {
                try await reconcile()
            } catch {
                turn.reconciler.answerWasLost(at: .now())
                throw error
            }
        }
        if state.withLock({ !$0.pausedBy.isEmpty }) {
            giveUp(&turn)
            try await markAsWaiting(false, &turn)
            await wakeSignal.wait(until: turn.reconciler.next)
            return
        }
        let wanted = runner.wanted
        guard wanted > 0 else { return try await waitForCapacity(&turn) }
        guard identity.mayLease(at: .now()) else {
            confirmIdentity()
            return await pause(until: .now() + turn.backoff.failed(random: .random(in: 0...1)))
        }
        let count = try await lease(wanted, &turn)
        turn.backoff.succeeded()
        turn.isExhausted = count < wanted
        if count == wanted {
            turn.fullBatches += 1
            if turn.fullBatches >= Self.busyAfter { try await markAsWaiting(false, &turn) }
            return
        }
        turn.fullBatches = 0
        if turn.waitingAs != identity.id {
            turn.isExhausted = false
            return try await markAsWaiting(true, &turn)
        }
        await sleep(until: min(turn.nextPoll, turn.rates.next ?? turn.nextPoll, turn.reconciler.next))
        guard turn.nextPoll <= .now() else { return }
        turn.isExhausted = false
        try await promote(&turn.promotionCursor)
    }

    /// Sleeps until a slot is free. What limits let start meanwhile is passed on.
    private func waitForCapacity(_ turn: inout Turn) async throws(PostgresError) {
        handoff.owe(turn.rates.takeDue(at: .now()))
        handoff.passOn()
        let busy = MonotonicInstant.now() + Self.busyAfterDuration
        let due = [turn.rates.next, turn.waitingAs == nil ? nil : busy, turn.reconciler.next].compactMap { $0 }.min()
        if await wakeSignal.wait(until: due) { return }
        if busy <= .now() { try await markAsWaiting(false, &turn) }
    }

    /// Nothing more is leased for a while: what this worker owes, and the rates that it keeps, are for others.
    private func giveUp(_ turn: inout Turn) {
        handoff.owe(turn.rates.giveUp())
        handoff.passOn()
    }

    private func markAsWaiting(_ isWaiting: Bool, _ turn: inout Turn) async throws(PostgresError) {
        guard isWaiting else {
            guard let id = turn.waitingAs else { return }
            try await registry.setWaiting(id: id, false)
            turn.waitingAs = nil
            turn.isExhausted = false
            return
        }
        let id = identity.id
        try await registry.setWaiting(id: id, true)
        turn.waitingAs = id
    }

    /// Sleeps until `instant`, until something changes, or until a job may start because an own attempt has ended; no
    /// other end of an attempt ends the sleep.
    private func sleep(until instant: MonotonicInstant) async {
        while !state.withLock({ $0.hasChanged }), !handoff.isOwed {
            guard await wakeSignal.wait(until: instant) else { return }
        }
        state.withLock { $0.hasChanged = false }
    }

    /// Sleeps after an error, until `instant` or until something changes.
    private func pause(until instant: MonotonicInstant) async {
        while !state.withLock({ $0.hasChanged }), await wakeSignal.wait(until: instant) {}
        state.withLock { $0.hasChanged = false }
    }

    /// Moves due jobs to their queues. While a reaper runs it does this, and nothing is found here; without a reaper,
    /// jobs whose backoff is over start with the next poll.
    private func promote(_ cursor: inout ScanCursor) async throws(PostgresError) {
        let batch = try await store.promoteDue(atMost: Self.promotedMax, from: cursor.lowerBound)
        if batch.count < Self.promotedMax { cursor.drained(at: batch.moment) }
    }

    /// - Returns: number of jobs.
    private func lease(_ count: Int, _ turn: inout Turn) async throws(PostgresError) -> Int {
        let queues = try await queueIDs()
        // None of the configured queues exists yet.
        if let queues, queues.isEmpty { return 0 }
        let excluded = try await excludedTypes()
        let owed = handoff.beginLeasing()
        let hinted = hintedQueues(owed, turn)
        let request = LeaseRequest(
            queues: hinted ?? queues, excludedTypes: excluded, count: count, worker: identity.id,
            leaseSeconds: options.leaseDuration.inSeconds)
        let sentAt = MonotonicInstant.now()
        let answer: LeaseAnswer
        do throws(PostgresError) {
            if hinted == nil {
                answer = try await store.lease(request, cursor: &turn.fairnessCursor)
                // A look at many queues that are all full is not repeated at once.
                let pause = options.pollInterval * Double.random(in: 0.8...1.2)
                turn.nextPoll = .now() + max(pause, (MonotonicInstant.now() - sentAt) * Self.pollShare)
            } else {
                answer = try await store.lease(request, cursor: &turn.hintedCursor)
            }
        } catch {
            handoff.owe(owed)
            turn.isExhausted = false
            // Jobs may have been leased by the statement whose answer did not arrive.
            turn.reconciler.answerWasLost(at: .now())
            throw error
        }
        turn.rates.leased(
            held: answer.nextStarts, served: Set(answer.jobs.lazy.filter(\.isLimited).map(\.queue)), at: .now(),
            random: .random(in: 0...1))
        handoff.owe(answer.unserved)
        let unknown = runner.accept(answer.jobs, requested: count, sentAt: sentAt)
        if !unknown.isEmpty { state.withLock { $0.excludedTypes?.formUnion(unknown) } }
        return answer.jobs.count
    }

    /// Releases the leases that PostgreSQL has of this worker and the worker does not know of. No lease of this loop is
    /// under way meanwhile.
    private func reconcile() async throws(PostgresError) {
        let held = try await store.leases(ofWorkers: identity.all, atMost: LeaseReconciler.leasesMax)
        let unknown = runner.unknown(of: held)
        var released = 0
        for start in stride(from: 0, to: unknown.count, by: JobStore.finishedMax) {
            let batch = unknown[start..<min(start + JobStore.finishedMax, unknown.count)]
            let answers = try await store.finish(batch.map { FinishedAttempt(lease: $0, result: .released) })
            released += answers.count { $0 == .released || $0 == .cancelled }
        }
        guard released > 0 else { return }
        logger.warning(
            "leases whose answer was lost were released", ["released": .integer(released)])
    }

    /// The queues in which alone a job may start, when a look at all queues has found nothing since; nil: look at all.
    /// So what wakes a worker costs no look at queues that it has nothing to do with.
    private func hintedQueues(_ owed: Set<String>, _ turn: Turn) -> [Int32]? {
        let hinted = state.withLock { state in
            defer { state.hinted = [] }
            return state.hinted
        }
        guard turn.isExhausted, let hinted else { return nil }
        let names = hinted.union(owed).union(turn.rates.due(at: .now()))
        guard !names.isEmpty, names.count <= Self.hintedMax else { return nil }
        return store.subqueues.cachedQueueIDs(names)
    }

    /// The ids of the types without a handler. Of types that come later a job is leased once, and released.
    private func excludedTypes() async throws(PostgresError) -> [Int32] {
        if let known = state.withLock({ $0.excludedTypes }) { return Array(known) }
        let table = runner.table
        let excluded = try await store.types().filter { table.handler(for: $0.name) == nil }.map(\.id)
        // If the handlers have changed meanwhile, it is read again.
        state.withLock { $0.excludedTypes = Set(excluded) }
        return excluded
    }

    /// The ids of the configured queues; nil: all queues. A queue is created with its first job, so the lookup repeats
    /// until all of them exist, and then once in each poll interval.
    private func queueIDs() async throws(PostgresError) -> [Int32]? {
        guard let names = options.queues else { return nil }
        let now = MonotonicInstant.now()
        let (known, isCurrent) = state.withLock { ($0.queueIDs, now < $0.nextResolution) }
        if known.count == names.count, isCurrent { return known }
        let found = try await store.queueIDs(names)
        state.withLock { state in
            state.queueIDs = found
            state.nextResolution = now + options.pollInterval
        }
        return found
    }
}
