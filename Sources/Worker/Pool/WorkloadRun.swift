internal import EventLoop
internal import Pools
internal import Synchronization
internal import Values

/// One workload under one lease: its process, started again whenever it ends, until the lease is to be given back.
/// Used on the worker's loop.
final class WorkloadRun: Sendable {
    /// What the run needs of the member that it belongs to.
    struct Dependencies: Sendable {
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

    private enum Goal {
        /// Start it again when it ends.
        case run
        /// The same, at once: it was asked to end, so that it begins anew.
        case renew
        /// Nothing is started any more.
        case stop
    }

    private struct State {
        var goal = Goal.run
        var attempt: ExecAttempt?
        var limit = MonotonicInstant.distantFuture
    }

    /// What is kept of the outputs: nobody waits for a result.
    private static let resultBytesMax = 1_024

    private let dependencies: Dependencies
    private let loop: Loop
    /// Ends a pause.
    private let wakeSignal: WakeSignal
    private let state = Mutex(State())

    init(_ dependencies: Dependencies, on loop: Loop) {
        self.dependencies = dependencies
        self.loop = loop
        wakeSignal = WakeSignal(on: loop)
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
        goal(.stop, within: grace)
    }

    /// The process ends, and another takes its place under the same lease.
    func renew(within grace: Duration) {
        if state.withLock({ $0.goal }) == .run { goal(.renew, within: grace) }
    }

    private func goal(_ goal: Goal, within grace: Duration) {
        let attempt = state.withLock { state in
            state.goal = goal
            return state.attempt
        }
        attempt?.stop(within: grace)
        wakeSignal.wake()
    }

    /// Returns when nothing of it runs any more.
    func run() async {
        var pace = RestartPace()
        var restarts: Int32 = 0
        while beginAnew(), dependencies.mayStart() {
            let start = MonotonicInstant.now()
            let error = await runProcess(restarts)
            // What was asked to end has not failed.
            if state.withLock({ $0.goal }) == .run {
                dependencies.report(WorkloadReport(isRunning: false, restarts: restarts, error: error))
                let pause = pace.ended(after: .now() - start, random: .random(in: 0...1))
                await rest(until: .now() + pause)
            }
            restarts += 1
        }
    }

    /// False when nothing is started any more.
    private func beginAnew() -> Bool {
        state.withLock { state in
            if state.goal == .renew { state.goal = .run }
            return state.goal == .run
        }
    }

    /// A wake-up that was meant for something else does not shorten the pause.
    private func rest(until end: MonotonicInstant) async {
        while state.withLock({ $0.goal }) == .run, await wakeSignal.wait(until: end) {}
    }

    /// Why it has ended.
    private func runProcess(_ restarts: Int32) async -> String {
        let attempt: ExecAttempt
        do {
            let command = try dependencies.command().get()
            let variables = dependencies.variables.merging(["JOBQUEUE_RESTARTS": "\(restarts)"]) { $1 }
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
        dependencies.report(WorkloadReport(isRunning: true, restarts: restarts))
        let outcome = await attempt.run(
            payload: [], resultBytesMax: Self.resultBytesMax, errorTailBytesMax: PoolLimits.errorBytesMax,
            errorLine: dependencies.hear
        ) { _ in }
        state.withLock { $0.attempt = nil }
        return outcome.error
    }
}
