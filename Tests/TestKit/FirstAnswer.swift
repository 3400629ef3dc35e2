import EventLoop
import Synchronization
import Values

/// A value that several sources may provide, one of them perhaps a timeout: the first value counts.
final class FirstAnswer<Value: Sendable>: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<Value, Never>)
        case answered(Value)
    }

    private let state = Mutex(State.open)

    /// Provides the value, unless there is one.
    func give(_ value: Value) {
        let continuation = state.withLock { state -> CheckedContinuation<Value, Never>? in
            switch state {
            case .answered: return nil
            case .open:
                state = .answered(value)
                return nil
            case .awaited(let continuation):
                state = .answered(value)
                return continuation
            }
        }
        continuation?.resume(returning: value)
    }

    /// Provides `value` after `duration`.
    func give(_ value: Value, after duration: Duration) {
        let deadline = MonotonicInstant.now() + duration
        TestLoop.shared.execute {
            _ = TestLoop.shared.schedule(at: deadline) { self.give(value) }
        }
    }

    /// Waits for the first value. For one task only.
    func take() async -> Value {
        await withCheckedContinuation { continuation in
            let value = state.withLock { state -> Value? in
                if case .answered(let value) = state { return value }
                state = .awaited(continuation)
                return nil
            }
            if let value { continuation.resume(returning: value) }
        }
    }
}
