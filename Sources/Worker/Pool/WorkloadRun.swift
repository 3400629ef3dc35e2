internal import EventLoop
internal import Pools
internal import Synchronization

/// One workload under one lease: its process, started again whenever it ends, until the lease is to be given back.
/// Used on the worker's loop.
final class WorkloadRun: Sendable {
    /// What the run needs of the member that it belongs to.
    struct Surroundings: Sendable {
        /// What is started; asked each time, since handlers change. Or why nothing can be.
        var command: @Sendable () -> Result<ExecCommand, Refusal>
        /// Whether the lease is good for another start.
        var mayStart: @Sendable () -> Bool
        /// Told on the loop.
        var report: @Sendable (WorkloadReport) -> Void
        /// A line of the process's standard error.
        var hear: @Sendable (String) -> Void
        /// Of the process, besides those of the handler and the number of restarts.
        var variables: [String: String]
    }

    struct Refusal: Error {
        let reason: String
    }

    private enum Wish {
        /// Start it again when it ends.
        case run
        /// The same, at once: it was asked to end, so that it begins anew.
        case renew
        /// Nothing is started any more.
        case stop
    }

    private struct State {
        var wish = Wish.run
        var attempt: ExecAttempt?
        var limit = MonotonicInstant.distantFuture
    }

    /// What is kept of the outputs: nobody waits for a result.
    private static let resultBytesMax = 1_024

    private let surroundings: Surroundings
    private let loop: Loop
    /// Ends a pause.
    private let wakeUp: WakeUp
    private let state = Mutex(State())

    init(_ surroundings: Surroundings, on loop: Loop) {
        self.surroundings = surroundings
        self.loop = loop
        wakeUp = WakeUp(on: loop)
    }

    /// Its process is killed at `instant`, even if this worker is frozen, unless that is put off before.
    func limit(to instant: MonotonicInstant) {
        let attempt = state.withLock { state in
            state.limit = instant
            return state.attempt
        }
        attempt?.limit(to: instant)
    }

    /// Nothing is started any more; the whole process group is asked to end, and killed when the grace is over.
    func stop(within grace: Duration) {
        wish(.stop, within: grace)
    }

    /// The process ends, and another takes its place under the same lease.
    func renew(within grace: Duration) {
        if state.withLock({ $0.wish }) == .run { wish(.renew, within: grace) }
    }

    private func wish(_ wish: Wish, within grace: Duration) {
        let attempt = state.withLock { state in
            state.wish = wish
            return state.attempt
        }
        attempt?.stop(within: grace)
        wakeUp.wake()
    }

    /// Returns when nothing of it runs any more.
    func run() async {
        var pace = RestartPace()
        var restarts: Int32 = 0
        while beginAnew(), surroundings.mayStart() {
            let start = MonotonicInstant.now()
            let error = await runProcess(restarts)
            // What was asked to end has not failed.
            if state.withLock({ $0.wish }) == .run {
                surroundings.report(WorkloadReport(isRunning: false, restarts: restarts, error: error))
                let pause = pace.ended(after: .now() - start, random: .random(in: 0...1))
                await rest(until: .now() + pause)
            }
            restarts += 1
        }
    }

    /// False when nothing is started any more.
    private func beginAnew() -> Bool {
        state.withLock { state in
            if state.wish == .renew { state.wish = .run }
            return state.wish == .run
        }
    }

    /// A wake-up that was meant for something else does not shorten the pause.
    private func rest(until end: MonotonicInstant) async {
        while state.withLock({ $0.wish }) == .run, await wakeUp.wait(until: end) {}
    }

    /// Why it has ended.
    private func runProcess(_ restarts: Int32) async -> String {
        let attempt: ExecAttempt
        do {
            let command = try surroundings.command().get()
            let variables = surroundings.variables.merging(["JOBQUEUE_RESTARTS": "\(restarts)"]) { $1 }
            attempt = try ExecAttempt(command, variables, on: loop)
        } catch let refusal as Refusal {
            return refusal.reason
        } catch {
            return "cannot start: \(error)"
        }
        let limit = state.withLock { state in
            state.attempt = attempt
            return state.limit
        }
        attempt.limit(to: limit)
        surroundings.report(WorkloadReport(isRunning: true, restarts: restarts))
        let outcome = await attempt.run(
            payload: [], resultBytesMax: Self.resultBytesMax, errorTailBytesMax: PoolLimits.errorBytesMax,
            errorLine: surroundings.hear
        ) { _ in }
        state.withLock { $0.attempt = nil }
        return outcome.error
    }
}
