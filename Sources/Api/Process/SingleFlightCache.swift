internal import EventLoop
internal import Synchronization
internal import Values

/// An answer that is worth as much to many who ask at about the same time: it is looked for once, kept for a moment, and
/// waited for no longer than a limit. So an endpoint that is open to everybody costs PostgreSQL no more than one question
/// in each such moment.
final class SingleFlightCache<Value: Sendable>: Sendable {
    private struct State {
        var kept: (value: Value, until: MonotonicInstant)?
        var waiting: [CheckedContinuation<Value, Never>] = []
        /// Tells the search that is waited for from one that was given up.
        var search = 0
    }

    private enum Step {
        case answer(Value)
        /// Nobody else is looking for it.
        case start(Int)
        case wait
    }

    private let loop: Loop
    private let keptFor: Duration
    private let limit: Duration
    private let whenLate: @Sendable () -> Value
    private let find: @Sendable () async -> Value
    private let state = Mutex(State())

    /// - Parameters:
    ///   - loop: where `find` runs.
    ///   - keptFor: how old an answer may be.
    ///   - limit: how long to wait; then `whenLate` gives the answer. `find` should end by itself not much later.
    init(
        on loop: Loop, keptFor: Duration, limit: Duration, whenLate: @escaping @Sendable () -> Value,
        find: @escaping @Sendable () async -> Value
    ) {
        self.loop = loop
        self.keptFor = keptFor
        self.limit = limit
        self.whenLate = whenLate
        self.find = find
    }

    /// May be called on any thread.
    func value() async -> Value {
        await withCheckedContinuation { continuation in
            let now = MonotonicInstant.now()
            let step = state.withLock { state -> Step in
                if let kept = state.kept, now < kept.until { return .answer(kept.value) }
                state.waiting.append(continuation)
                guard state.waiting.count == 1 else { return .wait }
                state.search += 1
                return .start(state.search)
            }
            switch step {
            case .answer(let value): continuation.resume(returning: value)
            case .start(let search): start(search)
            case .wait: break
            }
        }
    }

    private func start(_ search: Int) {
        loop.execute { [self] in
            // When it fires after the answer, it finds nobody waiting for this search.
            loop.schedule(at: .now() + limit) { self.finish(search, self.whenLate()) }
            loop.spawn { self.finish(search, await self.find()) }
        }
    }

    private func finish(_ search: Int, _ value: Value) {
        let waiting = state.withLock { state -> [CheckedContinuation<Value, Never>] in
            guard search == state.search, !state.waiting.isEmpty else { return [] }
            state.kept = (value, .now() + keptFor)
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(returning: value) }
    }
}
