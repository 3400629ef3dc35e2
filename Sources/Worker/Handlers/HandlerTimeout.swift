internal import EventLoop
internal import Values

/// The timer for the `timeout_seconds` of a handler, for one attempt. Used by one task of the loop.
final class HandlerTimeout {
    /// Whether the timer has stopped the attempt.
    private(set) var hasPassed = false
    private var timer: LoopTimer?

    /// Calls `stop` after `duration`; nil: never.
    init(_ duration: Duration?, on loop: Loop, stop: @escaping () -> Void) {
        guard let duration else { return }
        timer = loop.schedule(at: .now() + duration) { [weak self] in
            self?.hasPassed = true
            stop()
        }
    }

    /// Cancels the timer, at the end of the attempt.
    func cancel() {
        timer?.cancel()
        timer = nil
    }
}
