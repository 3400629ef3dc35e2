internal import EventLoop
internal import Synchronization
internal import Values

/// A value that concurrent callers share: it is read once, cached for a short time, and waited for no longer than a
/// limit. So an endpoint without a key costs PostgreSQL at most one read in that time.
final class SingleFlightCache<Value: Sendable>: Sendable {
    private struct State {
        var kept: (value: Value, until: MonotonicInstant)?
        var waiting: [CheckedContinuation<Value, Never>] = []
        /// The number of the read that is waited for. A read that was given up has a lower one.
        var read = 0
    }

    private enum Step {
        case answer(Value)
        /// No read is under way.
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
    ///   - keptFor: how long a value is cached.
    ///   - limit: the longest wait; then `whenLate` gives the value. `find` should end by itself not much later.
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

    /// Any thread may call it.
    func value() async -> Value {
        await withCheckedContinuation { continuation in
            let now = MonotonicInstant.now()
            let step = state.withLock { state -> Step in
                if let kept = state.kept, now < kept.until { return .answer(kept.value) }
                state.waiting.append(continuation)
                guard state.waiting.count == 1 else { return .wait }
                state.read += 1
                return .start(state.read)
            }
            switch step {
            case .answer(let value): continuation.resume(returning: value)
            case .start(let read): start(read)
            case .wait: break
            }
        }
    }

    private func start(_ read: Int) {
        loop.execute { [self] in
            // When it fires after the value is read, no caller waits for this read.
            loop.schedule(at: .now() + limit) { self.finish(read, self.whenLate()) }
            loop.spawn { self.finish(read, await self.find()) }
        }
    }

    private func finish(_ read: Int, _ value: Value) {
        let waiting = state.withLock { state -> [CheckedContinuation<Value, Never>] in
            guard read == state.read, !state.waiting.isEmpty else { return [] }
            state.kept = (value, .now() + keptFor)
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(returning: value) }
    }
}
