internal import EventLoop
internal import Pools
internal import Synchronization
internal import Values

/// The process of one workload under one lease. It is restarted whenever it ends, until the lease is to be released.
/// Used on the worker's loop.
final class WorkloadRun: Sendable {
    /// The functions and values that the run needs from its member.
    struct Dependencies: Sendable {
        /// The command to start, or the reason why there is none. Called before each start, because handlers change.
        var command: @Sendable () -> Result<ExecCommand, CommandUnavailable>
        /// Whether the lease allows another start.
        var mayStart: @Sendable () -> Bool
        /// Called on the loop with each change of the process.
        var report: @Sendable (WorkloadReport) -> Void
        /// Called with each line of the process's standard error.
        var errorLine: @Sendable (String) -> Void
        /// Environment variables of the process, added to those of the handler and `JOBQUEUE_RESTARTS`.
        var variables: [String: String]
    }

    /// There is no command to start.
    struct CommandUnavailable: Error {
        let reason: String
    }

    private enum DesiredState {
        /// The process is started again when it ends. Next: `restarting`, `stopped`.
        case running
        /// The process was asked to end, and another starts at once. Next: `running` with that start, or `stopped`.
        case restarting
        /// No process is started any more. Final.
        case stopped
    }

    private struct State {
        var desired = DesiredState.running
        var attempt: ExecAttempt?
        var killAt = MonotonicInstant.distantFuture
    }

    /// Bytes kept of standard output and of descriptor 3: a workload has no result.
    private static let resultBytesMax = 1_024

    private let dependencies: Dependencies
    private let loop: Loop
    /// Ends a pause between two starts.
    private let wakeSignal: WakeSignal
    private let state = Mutex(State())

    init(_ dependencies: Dependencies, on loop: Loop) {
        self.dependencies = dependencies
        self.loop = loop
        wakeSignal = WakeSignal(on: loop)
    }

    /// The process guard kills the process at `instant`, also if this worker is suspended, unless a later call moves
    /// the instant.
    func limit(to instant: MonotonicInstant) {
        let attempt = state.withLock { state in
            state.killAt = instant
            return state.attempt
        }
        attempt?.limit(to: instant)
    }

    /// Stops for good: SIGTERM to the process group, and SIGKILL after `grace`.
    func stop(within grace: Duration) {
        request(.stopped, within: grace)
    }

    /// Stops the process in the same way, and starts another under the same lease. Without effect after `stop`.
    func restart(within grace: Duration) {
        if state.withLock({ $0.desired }) == .running { request(.restarting, within: grace) }
    }

    private func request(_ desired: DesiredState, within grace: Duration) {
        let attempt = state.withLock { state in
            state.desired = desired
            return state.attempt
        }
        attempt?.stop(within: grace)
        wakeSignal.wake()
    }

    /// Returns when no process runs and none will be started.
    func run() async {
        var backoff = RestartBackoff()
        var restarts: Int32 = 0
        while takeRestart(), dependencies.mayStart() {
            let start = MonotonicInstant.now()
            let error = await runProcess(restarts)
            // A process that was asked to end has not failed.
            if state.withLock({ $0.desired }) == .running {
                dependencies.report(WorkloadReport(isRunning: false, restarts: restarts, error: error))
                let pause = backoff.ended(after: .now() - start, random: .random(in: 0...1))
                await sleep(until: .now() + pause)
            }
            restarts += 1
        }
    }

    /// Completes a requested restart.
    /// - Returns: false after `stop`.
    private func takeRestart() -> Bool {
        state.withLock { state in
            if state.desired == .restarting { state.desired = .running }
            return state.desired == .running
        }
    }

    /// Sleeps until `end`, or until another state is desired. Other wake signals do not shorten the pause.
    private func sleep(until end: MonotonicInstant) async {
        while state.withLock({ $0.desired }) == .running, await wakeSignal.wait(until: end) {}
    }

    /// Runs one process.
    /// - Returns: the reason for its end.
    private func runProcess(_ restarts: Int32) async -> String {
        let attempt: ExecAttempt
        do {
            let command = try dependencies.command().get()
            let variables = dependencies.variables.merging(["JOBQUEUE_RESTARTS": "\(restarts)"]) { $1 }
            let limit = state.withLock { $0.killAt }
            attempt = try ExecAttempt(command, variables, limit: limit, on: loop)
        } catch let unavailable as CommandUnavailable {
            return unavailable.reason
        } catch {
            return "cannot start the program: \(error)"
        }
        let killAt = state.withLock { state in
            state.attempt = attempt
            return state.killAt
        }
        attempt.limit(to: killAt)
        dependencies.report(WorkloadReport(isRunning: true, restarts: restarts))
        let outcome = await attempt.run(
            payload: [], resultBytesMax: Self.resultBytesMax, errorTailBytesMax: PoolLimits.errorBytesMax,
            onErrorLine: dependencies.errorLine
        ) { _ in }
        state.withLock { $0.attempt = nil }
        return outcome.error
    }
}
