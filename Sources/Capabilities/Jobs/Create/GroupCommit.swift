public import EventLoop
internal import Synchronization
internal import Values

/// Merges the items that many tasks submit at about the same time into few statements: group commit.
///
/// A batch is taken when the previous one has been committed, and holds all items that were submitted until then. So a
/// single task does not wait, and a thousand tasks share a few transactions. There is nothing to tune.
///
/// One batch at a time suits a fast disk: most of a batch's cost is that of its statement and its commit, so a few
/// large batches are cheaper than many small ones (of 64 clients, 45,000 jobs a second against 35,000 with two at a
/// time on each loop). A slow disk would leave both PostgreSQL and the tasks idle meanwhile, although it writes any
/// number of commits at once. So when an item has waited for `patience`, or enough items wait for a large batch,
/// another batch is taken beside those in flight.
///
/// The tasks may run on several loops, each of which has a submitter of its own. The loop that finds that a batch may
/// be taken commits it for all loops, with its own connections. Each answer is delivered on the loop that submitted the
/// item.
///
/// Each `submit` returns only after its batch was committed, with the answer to its own item.
public final class GroupCommit<Item: Sendable, Answer: Sendable>: Sendable {
    /// Commits a batch and answers each item in its place. Runs on the loop of its submitter.
    public typealias Commit = @Sendable ([Item]) async -> [Answer]

    /// How long an item may wait for its batch. A server that hangs would make each wait for all batches before it.
    public struct WaitLimit: Sendable {
        let duration: Duration
        let answer: @Sendable (Duration) -> Answer

        /// - Parameter answer: the answer to an item that has waited for longer than `duration`. It is not committed.
        public init(_ duration: Duration, answer: @escaping @Sendable (_ waited: Duration) -> Answer) {
            self.duration = duration
            self.answer = answer
        }
    }

    private struct Waiting {
        let item: Item
        let weight: Int
        let loop: Loop
        let addedAt: MonotonicInstant
        let then: @Sendable (Answer) -> Void
    }

    private struct State {
        /// In the order in which they were added.
        var waiting: [Waiting] = []
        var inFlight = 0
        /// A task has been started and has not taken its batch yet: it will take later items too.
        var isStarting = false
    }

    private let itemsMax: Int
    private let weightMax: Int
    private let inFlightMax: Int
    private let waitLimit: WaitLimit?
    /// At this number of items the fixed cost of a batch is small compared with theirs.
    private let largeBatch: Int
    /// How long an item waits for the batches in flight before another one is taken, if an occasion arises.
    private static var patience: Duration { .milliseconds(1) }
    private let state = Mutex(State())

    /// `itemsMax` and `weightMax` bound one batch (a single item may weigh more); `inFlightMax` is the maximum number
    /// of batches in flight.
    public init(itemsMax: Int, weightMax: Int = .max, inFlightMax: Int, waitLimit: WaitLimit? = nil) {
        precondition(itemsMax > 0 && inFlightMax > 0, "the limits of a batch must be positive")
        self.itemsMax = itemsMax
        self.weightMax = weightMax
        self.inFlightMax = inFlightMax
        self.waitLimit = waitLimit
        largeBatch = min(itemsMax, 64)
    }

    /// Number of items that wait for a batch.
    public var backlog: Int { state.withLock { $0.waiting.count } }

    /// A submitter for the tasks of `loop`, which commits its batches with `commit`.
    public func submitter(on loop: Loop, commit: @escaping Commit) -> Submitter {
        Submitter(group: self, loop: loop, commit: commit)
    }

    /// Submits the items of the tasks of one loop.
    public struct Submitter: Sendable {
        let group: GroupCommit
        fileprivate let loop: Loop
        fileprivate let commit: Commit

        /// Call it on the loop. `weight` counts towards `weightMax`; usually bytes.
        public func submit(_ item: Item, weight: Int = 0) async -> Answer {
            await withCheckedContinuation { continuation in
                submit(item, weight: weight) { continuation.resume(returning: $0) }
            }
        }

        /// Call it on the loop. Returns at once; `then` is called on the loop with the answer.
        public func submit(_ item: Item, weight: Int = 0, then: @escaping @Sendable (Answer) -> Void) {
            if group.add(Waiting(item: item, weight: weight, loop: loop, addedAt: loop.now, then: then)) { start() }
        }

        /// The task runs after the tasks that are ready now, so its batch holds their items too.
        private func start() {
            loop.spawn {
                var next = group.takeBatch(at: loop.now)
                while let (batch, late, mustStart) = next {
                    if mustStart { start() }
                    give(late.answers, to: late.items)
                    if !batch.isEmpty {
                        let answers = await commit(batch.map(\.item))
                        precondition(answers.count == batch.count, "a batch must answer each of its items")
                        give(answers, to: batch)
                    }
                    next = group.takeBatch(at: loop.now)
                }
            }
        }

        /// Delivers the answers; to other loops with one call to each.
        private func give(_ answers: [Answer], to batch: [Waiting]) {
            var elsewhere: [ObjectIdentifier: [Int]] = [:]
            for (index, waiting) in batch.enumerated() {
                if waiting.loop === loop {
                    waiting.then(answers[index])
                } else {
                    elsewhere[ObjectIdentifier(waiting.loop), default: []].append(index)
                }
            }
            for indices in elsewhere.values {
                batch[indices[0]].loop.execute {
                    for index in indices { batch[index].then(answers[index]) }
                }
            }
        }
    }

    /// Whether another task must be started.
    private func add(_ waiting: Waiting) -> Bool {
        state.withLock { state in
            state.waiting.append(waiting)
            return takePlace(in: &state, at: waiting.addedAt)
        }
    }

    private func takePlace(in state: inout State, at now: MonotonicInstant) -> Bool {
        guard let oldest = state.waiting.first, !state.isStarting, state.inFlight < inFlightMax else { return false }
        let isWorthAnother = state.waiting.count >= largeBatch || now - oldest.addedAt > Self.patience
        guard state.inFlight == 0 || isWorthAnother else { return false }
        state.isStarting = true
        state.inFlight += 1
        return true
    }

    private typealias Late = (items: [Waiting], answers: [Answer])

    /// nil, and one fewer in flight, when no item waits. The batch is empty if all items are late. Items beyond the
    /// batch may need another task.
    private func takeBatch(at now: MonotonicInstant) -> (batch: [Waiting], late: Late, mustStart: Bool)? {
        state.withLock { state in
            state.isStarting = false
            guard !state.waiting.isEmpty else {
                state.inFlight -= 1
                return nil
            }
            let late = takeLate(from: &state, at: now)
            var count = 0
            var weight = 0
            for waiting in state.waiting.prefix(itemsMax) {
                weight += waiting.weight
                if count > 0, weight > weightMax { break }
                count += 1
            }
            let batch = Array(state.waiting.prefix(count))
            state.waiting.removeFirst(count)
            return (batch, late, takePlace(in: &state, at: now))
        }
    }

    private func takeLate(from state: inout State, at now: MonotonicInstant) -> Late {
        guard let waitLimit else { return ([], []) }
        let items = Array(state.waiting.prefix { now - $0.addedAt > waitLimit.duration })
        state.waiting.removeFirst(items.count)
        return (items, items.map { waitLimit.answer(now - $0.addedAt) })
    }
}
