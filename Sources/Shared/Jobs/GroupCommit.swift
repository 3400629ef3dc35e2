public import EventLoop
internal import Synchronization

/// Merges what many tasks of one loop submit at about the same time into few statements: group commit.
///
/// A batch is taken when a place among the statements in flight is free, and holds whatever has been submitted
/// until then. So one task alone waits for nobody, and a thousand share a handful of transactions; there is no
/// timer and nothing to tune. Two in flight keep PostgreSQL busy with one batch while the other waits for the disk.
/// When more items wait than the last batch held, those in flight are slow: the disk is what limits, not the
/// statements, and another one is opened, which shares the disk's next write with them.
///
/// Each `submit` returns only when its batch has been committed, with the answer to its own item.
public final class GroupCommit<Item: Sendable, Answer: Sendable>: Sendable {
    /// Commits a batch and answers each item in its place.
    public typealias Commit = @Sendable ([Item]) async -> [Answer]

    private struct Waiting {
        let item: Item
        let weight: Int
        let then: @Sendable (Answer) -> Void
    }

    private struct State {
        var waiting: [Waiting] = []
        var inFlight = 0
        /// How many items the last batch held.
        var lastCount = 0
        /// A task has been started that has not taken its batch yet: it will take what comes meanwhile, too.
        var isStarting = false
    }

    private let loop: Loop
    private let itemsMax: Int
    private let weightMax: Int
    private let inFlightMax: Int
    /// Batches in flight that are taken as soon as anything waits.
    private static var readyPlaces: Int { 2 }
    private let commit: Commit
    private let state = Mutex(State())

    /// `itemsMax` and `weightMax` bound one batch (a single item may weigh more); `inFlightMax` is how many batches
    /// may be under way at once.
    public init(
        on loop: Loop, itemsMax: Int, weightMax: Int = .max, inFlightMax: Int, commit: @escaping Commit
    ) {
        precondition(itemsMax > 0 && inFlightMax > 0, "a batch must hold something")
        self.loop = loop
        self.itemsMax = itemsMax
        self.weightMax = weightMax
        self.inFlightMax = inFlightMax
        self.commit = commit
    }

    /// How many items wait for a batch.
    public var backlog: Int { state.withLock { $0.waiting.count } }

    /// Call it on the loop. `weight` is counted against `weightMax`; bytes, usually.
    public func submit(_ item: Item, weight: Int = 0) async -> Answer {
        await withCheckedContinuation { continuation in
            submit(item, weight: weight) { continuation.resume(returning: $0) }
        }
    }

    /// Returns at once; `then` is called on the loop with the answer.
    public func submit(_ item: Item, weight: Int = 0, then: @escaping @Sendable (Answer) -> Void) {
        let waiting = Waiting(item: item, weight: weight, then: then)
        let mustStart = state.withLock { state in
            state.waiting.append(waiting)
            return takePlace(in: &state)
        }
        if mustStart { start() }
    }

    /// Whether a further task must be started.
    private func takePlace(in state: inout State) -> Bool {
        guard !state.waiting.isEmpty, !state.isStarting, state.inFlight < inFlightMax else { return false }
        guard state.inFlight < Self.readyPlaces || state.waiting.count > state.lastCount else { return false }
        state.isStarting = true
        state.inFlight += 1
        return true
    }

    /// The task runs after those that are ready now, whose items its batch will hold as well.
    private func start() {
        loop.spawn { [self] in
            while let (batch, mustStart) = state.withLock({ takeBatch(from: &$0) }) {
                if mustStart { start() }
                let answers = await commit(batch.map(\.item))
                precondition(answers.count == batch.count, "a batch must answer each of its items")
                for (waiting, answer) in zip(batch, answers) {
                    waiting.then(answer)
                }
            }
        }
    }

    /// nil, and one fewer in flight, when nothing waits. What the batch does not hold may need a further task.
    private func takeBatch(from state: inout State) -> (batch: [Waiting], mustStart: Bool)? {
        state.isStarting = false
        guard !state.waiting.isEmpty else {
            state.inFlight -= 1
            return nil
        }
        var count = 0
        var weight = 0
        for waiting in state.waiting.prefix(itemsMax) {
            weight += waiting.weight
            if count > 0, weight > weightMax { break }
            count += 1
        }
        state.lastCount = count
        if count == state.waiting.count {
            defer { state.waiting.removeAll(keepingCapacity: true) }
            return (state.waiting, false)
        }
        let batch = Array(state.waiting.prefix(count))
        state.waiting.removeFirst(count)
        return (batch, takePlace(in: &state))
    }
}
