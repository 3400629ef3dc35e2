internal import EventLoop
internal import Jobs

/// `exec`: a process for each attempt. The payload is its standard input; `ExecOutcome` says what its end means.
struct ExecHandler: Handler {
    let command: ExecCommand
    let loop: Loop

    func run(_ job: LeasedJob, stop: Cancellation, progress: @escaping ProgressSink) async -> AttemptResult {
        let attempt: ExecAttempt
        do throws(SystemError) {
            attempt = try ExecAttempt(command, job.variables, on: loop)
        } catch {
            // Out of processes, descriptors or memory, or the program is being replaced: all of it passes.
            return .retry(error: "cannot start \(command.executable): \(error)", afterSeconds: nil)
        }
        stop.onRequest { [command] reason in
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
