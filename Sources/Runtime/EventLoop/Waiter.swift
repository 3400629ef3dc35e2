internal import Values

/// One task that waits for one direction of a stream. Used on its loop's thread only.
///
/// A wake-up that finds nobody is kept for the next wait, which then returns at once: between a task's look at the
/// state and its wait the runtime may let others run, and nothing may get lost there. So a wait may return too early,
/// and its caller looks again.
///
/// The timer stays armed when a wait is over, and is moved only when it fires too early, so that a stream whose
/// waits are short (a keep-alive connection at work) hardly ever touches the heap of timers.
final class Waiter {
    enum Wake {
        case ready, closed, timedOut
    }

    private let loop: Loop
    private var continuation: UnsafeContinuation<Wake, Never>?
    private var kept: Wake?
    private var deadline = MonotonicInstant.distantFuture
    private var timer: LoopTimer?

    init(loop: Loop) {
        self.loop = loop
    }

    deinit {
        // On another thread the timer is left to fire, and finds nobody.
        if loop.isCurrent { timer?.cancel() }
    }

    func wait(until deadline: MonotonicInstant?) async throws(StreamError) {
        precondition(continuation == nil, "two tasks wait for one direction of a stream")
        self.deadline = deadline ?? .distantFuture
        if let deadline { arm(at: deadline) }
        let wake = await withUnsafeContinuation { continuation in
            if let kept {
                self.kept = nil
                continuation.resume(returning: kept)
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
            kept = wake
            return
        }
        self.continuation = nil
        continuation.resume(returning: wake)
    }

    /// Forgets a wake-up that nobody has waited for.
    func forget() {
        kept = nil
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
