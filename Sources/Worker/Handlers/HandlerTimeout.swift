internal import EventLoop
internal import Values

/// The `timeout_seconds` of a handler, over one attempt. Used by one task of the loop.
final class HandlerTimeout {
    /// Whether it has stopped the attempt.
    private(set) var hasPassed = false
    private var timer: LoopTimer?

    /// Calls `stop` after `duration`; never when that is nil.
    init(_ duration: Duration?, on loop: Loop, stop: @escaping () -> Void) {
        guard let duration else { return }
        timer = loop.schedule(at: .now() + duration) { [weak self] in
            self?.hasPassed = true
            stop()
        }
    }

    /// The attempt is over.
    func cancel() {
        timer?.cancel()
        timer = nil
    }
}
