internal import Synchronization
public import Values

extension Loop {
    /// Suspends a task of this loop for a duration. Throws `CancellationError` as soon as the task is cancelled.
    public func sleep(for duration: Duration) async throws(CancellationError) {
        try await sleep(until: .now() + duration)
    }

    /// Suspends a task of this loop until an instant. Throws `CancellationError` as soon as the task is cancelled.
    public func sleep(until instant: MonotonicInstant) async throws(CancellationError) {
        preconditionCurrent()
        let sleeper = Sleeper(on: self)
        let finished = await withTaskCancellationHandler {
            await sleeper.wait(until: instant)
        } onCancel: {
            execute { sleeper.cancel() }
        }
        guard finished else { throw CancellationError() }
    }
}

/// One sleep. Confined to its loop's thread.
private final class Sleeper: @unchecked Sendable {
    private let loop: Loop
    private var timer: LoopTimer?
    private var continuation: CheckedContinuation<Bool, Never>?
    private var isCancelled = false

    init(on loop: Loop) {
        self.loop = loop
    }

    /// Returns false if the sleep was cancelled.
    func wait(until instant: MonotonicInstant) async -> Bool {
        guard !isCancelled, !Task.isCancelled else { return false }
        return await withCheckedContinuation { continuation in
            self.continuation = continuation
            timer = loop.schedule(at: instant) { self.end(finished: true) }
        }
    }

    func cancel() {
        isCancelled = true
        end(finished: false)
    }

    private func end(finished: Bool) {
        guard let continuation else { return }
        self.continuation = nil
        timer?.cancel()
        timer = nil
        continuation.resume(returning: finished)
    }
}
