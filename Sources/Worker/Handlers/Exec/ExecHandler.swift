internal import EventLoop
internal import Jobs

/// `exec`: one process for each attempt, with the payload as its standard input. `ExecOutcome` converts its end to the
/// result of the attempt.
struct ExecHandler: Handler {
    let command: ExecCommand
    var takeover = Takeover.heartbeat
    let loop: Loop

    func run(_ job: LeasedJob, cancellation: Cancellation, progress: @escaping ProgressSink) async -> AttemptResult {
        let attempt: ExecAttempt
        do throws(SystemError) {
            attempt = try ExecAttempt(command, job.variables, on: loop)
        } catch {
            // All causes are temporary: no processes, descriptors or memory left, or the program is being replaced.
            return .retry(error: "cannot start \(command.executable): \(error)", afterSeconds: nil)
        }
        cancellation.onRequest { [command] reason in
            if case .cancelled(let grace) = reason {
                attempt.stop(within: grace)
            } else {
                attempt.stop(within: command.killGrace)
            }
        }
        let timeout = HandlerTimeout(command.timeout, on: loop) { attempt.stop(within: command.killGrace) }
        var outcome = await attempt.run(
            payload: job.payload, resultBytesMax: JobLimits.resultBytesMax, progress: progress)
        timeout.cancel()
        outcome.timedOutAfter = timeout.hasPassed ? command.timeout : nil
        return outcome.attemptResult
    }
}
