internal import EventLoop
internal import Synchronization
internal import Values

/// The latest complete report of a kind. Its readers share one read at a time (`ReportPace`), and never wait long: a
/// read that takes longer goes on, and is for later readers.
final class LatestReport<Value: Sendable>: Sendable {
    struct Report: Sendable {
        let value: Value
        /// When its read began.
        let began: MonotonicInstant
    }

    struct Answer: Sendable {
        /// nil: none was ever read.
        let report: Report?
        /// Whether the last read has succeeded, and the one under way is not late.
        let isCurrent: Bool
    }

    private struct State {
        var pace: ReportPace
        var report: Report?
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter = 0
    }

    private let loop: Loop
    private let read: @Sendable () async -> Value?
    private let state: Mutex<State>

    /// - Parameters:
    ///   - loop: where `read` runs.
    ///   - quick: see `ReportPace`.
    ///   - read: nil: it failed. It has to end by itself.
    init(on loop: Loop, quick: Duration, read: @escaping @Sendable () async -> Value?) {
        self.loop = loop
        state = Mutex(State(pace: ReportPace(quick: quick)))
        self.read = read
    }

    /// Any thread may call it.
    func latest() async -> Answer {
        let (begins, step) = state.withLock { $0.pace.asked(at: .now()) }
        if begins { begin() }
        if step == .wait { await waitForRead() }
        return state.withLock { Answer(report: $0.report, isCurrent: $0.pace.isCurrent(at: .now())) }
    }

    private func waitForRead() async {
        await withCheckedContinuation { continuation in
            let number = state.withLock { state -> Int? in
                guard state.pace.isReading else { return nil }
                state.nextWaiter += 1
                state.waiting[state.nextWaiter] = continuation
                return state.nextWaiter
            }
            guard let number else { return continuation.resume() }
            loop.execute { [self] in
                loop.schedule(at: .now() + ReportPace.patience) {
                    self.state.withLock { $0.waiting.removeValue(forKey: number) }?.resume()
                }
            }
        }
    }

    private func begin() {
        loop.execute { [self] in
            loop.spawn {
                let began = MonotonicInstant.now()
                let value = await self.read()
                let waiting = self.state.withLock { state -> [CheckedContinuation<Void, Never>] in
                    state.pace.ended(at: .now(), succeeded: value != nil)
                    if let value { state.report = Report(value: value, began: began) }
                    defer { state.waiting = [:] }
                    return Array(state.waiting.values)
                }
                for continuation in waiting { continuation.resume() }
            }
        }
    }
}
