public import Values

/// A signal that wakes one waiting task of a loop. Used on its loop's thread only.
///
/// A signal sent while no task waits is stored, and the next `wait` returns at once. Several stored signals count as
/// one.
public final class WakeSignal: @unchecked Sendable {
    private let waiter: Waiter
    private let loop: Loop

    public init(on loop: Loop) {
        self.loop = loop
        waiter = Waiter(loop: loop)
    }

    public func wake() {
        loop.preconditionCurrent()
        waiter.wake(.ready)
    }

    /// Waits for the signal. Returns false if the deadline passes first.
    @discardableResult
    public func wait(until deadline: MonotonicInstant? = nil) async -> Bool {
        loop.preconditionCurrent()
        do throws(StreamError) {
            try await waiter.wait(until: deadline)
            return true
        } catch {
            return false
        }
    }

    /// As `wait`; also returns false, soon, when the calling task is cancelled.
    @discardableResult
    public func waitUnlessCancelled(until deadline: MonotonicInstant? = nil) async -> Bool {
        guard !Task.isCancelled else { return false }
        let isWoken = await withTaskCancellationHandler {
            await wait(until: deadline)
        } onCancel: {
            loop.execute { self.wake() }
        }
        return isWoken && !Task.isCancelled
    }
}
