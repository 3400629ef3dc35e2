internal import EventLoop
internal import Jobs
internal import Synchronization

/// Who uses a slot of a limited queue that an attempt of this worker has freed, so that it never stays idle while a job
/// may start.
///
/// Usually it is this worker: its lease loop is awake already, and the others sleep on. If it does not lease now, since
/// it has no capacity, is paused or stops, it notifies the others. The same holds for a job that is ready again.
final class SlotHandoff: Sendable {
    private struct State {
        var isLeasing = false
        /// Queues in which a job may start, since the last lease.
        var owed: Set<String> = []
        /// Queues with limits that were set while jobs ran, which the leases of these jobs did not know.
        var newlyLimited: Set<String> = []
    }

    /// Above it the names are dropped; polls find the jobs.
    private static let newlyLimitedMax = 1_000

    private let notifier: ReadyNotifier
    private let wakeSignal: WakeSignal
    private let state = Mutex(State())

    /// - Parameters:
    ///   - notifier: notifies other workers.
    ///   - wakeSignal: of the lease loop.
    init(notifier: ReadyNotifier, wakeSignal: WakeSignal) {
        self.notifier = notifier
        self.wakeSignal = wakeSignal
    }

    // MARK: For the attempts

    /// An attempt has ended, and its end is written. Call it on the loop.
    func ended(_ job: LeasedJob, _ answer: FinishAnswer) {
        switch answer {
        // This worker does not want it: another may.
        case .released: notifier.notify(CollectionOfOne(job.queue))
        case .retried, .unacknowledged: mayStart(in: job.queue)
        default:
            let isLimited = job.isLimited || state.withLock { $0.newlyLimited.contains(job.queue) }
            if isLimited { mayStart(in: job.queue) }
        }
    }

    private func mayStart(in queue: String) {
        let isLeasing = state.withLock { state in
            if state.isLeasing { state.owed.insert(queue) }
            return state.isLeasing
        }
        if isLeasing { wakeSignal.wake() } else { notifier.notify(CollectionOfOne(queue)) }
    }

    /// Waits until the others are notified, or the task is cancelled. Call it on the loop.
    func drain() async { await notifier.drain() }

    // MARK: For the lease loop

    var isOwed: Bool { state.withLock { !$0.owed.isEmpty } }

    /// The limits of a queue were changed.
    func limitsChanged(of queue: String) {
        state.withLock { state in
            if state.newlyLimited.count >= Self.newlyLimitedMax { state.newlyLimited = [] }
            state.newlyLimited.insert(queue)
        }
    }

    /// A lease follows: from now on this worker uses what its attempts free. Returns what it owes; if the lease fails,
    /// it owes that again.
    func beginLeasing() -> Set<String> {
        state.withLock { state in
            state.isLeasing = true
            defer { state.owed = [] }
            return state.owed
        }
    }

    /// Jobs could start in these queues, and no lease has been tried since.
    func owe(_ queues: some Sequence<String>) {
        state.withLock { $0.owed.formUnion(queues) }
    }

    /// This worker leases nothing at present: others are to use what is free. Call it on the loop.
    func passOn() {
        let owed = state.withLock { state in
            state.isLeasing = false
            defer { state.owed = [] }
            return state.owed
        }
        if !owed.isEmpty { notifier.notify(owed) }
    }
}
