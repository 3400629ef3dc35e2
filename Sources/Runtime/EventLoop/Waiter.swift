internal import Values

/// Suspends one task until one direction of a stream is ready. Used on its loop's thread only.
///
/// A wake-up without a waiting task is stored, and the next wait returns at once. Other tasks may run between a task's
/// check of the state and its wait, and a wake-up in between must not be lost. A wait can therefore return too early;
/// the caller checks its condition again.
///
/// The timer stays armed after a wait, and is rearmed only if it fires too early. A stream with short waits, such as a
/// busy keep-alive connection, thus rarely changes the timer heap.
final class Waiter {
    enum Wake {
        case ready, closed, timedOut
    }

    private let loop: Loop
    private var continuation: UnsafeContinuation<Wake, Never>?
    private var pending: Wake?
    private var deadline = MonotonicInstant.distantFuture
    private var timer: LoopTimer?

    init(loop: Loop) {
        self.loop = loop
    }

    deinit {
        // On another thread the timer cannot be cancelled. It fires without an effect.
        if loop.isCurrent { timer?.cancel() }
    }

    func wait(until deadline: MonotonicInstant?) async throws(StreamError) {
        precondition(continuation == nil, "two tasks wait for the same direction of a stream")
        self.deadline = deadline ?? .distantFuture
        if let deadline { arm(at: deadline) }
        let wake = await withUnsafeContinuation { continuation in
            if let pending {
                self.pending = nil
                continuation.resume(returning: pending)
            } else {
                self.continuation = continuation
            }
        }
        switch wake {
        case .ready: return
        case .closed: throw .closed
        case .timedOut: throw .timedOut
        }
    }

    func wake(_ wake: Wake) {
        guard let continuation else {
            pending = wake
            return
        }
        self.continuation = nil
        continuation.resume(returning: wake)
    }

    /// Discards a stored wake-up.
    func clearPending() {
        pending = nil
    }

    private func arm(at deadline: MonotonicInstant) {
        let timer = timer ?? loop.timer { [weak self] in self?.fired() }
        self.timer = timer
        if !timer.isArmed || deadline < timer.deadline { timer.arm(at: deadline) }
    }

    private func fired() {
        guard continuation != nil, deadline != .distantFuture else { return }
        if deadline <= loop.now {
            wake(.timedOut)
        } else {
            timer?.arm(at: deadline)
        }
    }
}
