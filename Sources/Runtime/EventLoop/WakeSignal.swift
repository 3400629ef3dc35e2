public import Values

/// Lets one task of a loop sleep until there is something to do. Used on its loop's thread only.
///
/// A wake-up that comes while nobody waits is kept: the next `wait` returns at once. Several are one.
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

    /// Returns true when it was woken, false when the deadline came first.
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
