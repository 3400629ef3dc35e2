import EventLoop
import Jobs
import Synchronization
import Testing
import Values

@testable import Worker

/// A script creates the file `ready` when it is ready.
@Suite struct ExecStopTests {
    /// Runs a script and cancels it when it is ready.
    private func runAndStop(
        _ script: String, killGrace: Duration = .seconds(20), by reasons: [Cancellation.Reason] = [.shutdown],
        on loop: Loop
    ) async throws -> AttemptResult {
        let scratch = try ScratchDirectory()
        let cancellation = Cancellation()
        let handler = shell(script, environment: ["READY": "\(scratch.path)/ready"], killGrace: killGrace, on: loop)
        async let result = handler.run(leasedJob(), cancellation: cancellation)
        #expect(try await eventually(loop) { FilePath.kind(of: "\(scratch.path)/ready") == .file })
        for reason in reasons { cancellation.request(reason) }
        return await result
    }

    @Test func `a cancellation sends SIGTERM to the whole process group`() async throws {
        try await onLoop { loop in
            let script = "sh -c 'echo $$ >&2; >$READY; exec sleep 3600'"
            let result = try await runAndStop(script, on: loop)
            let error = try #require(result.retryError)
            #expect(error.hasPrefix("signal 15 (Terminated): "))
            let pid = try #require(Int32(error.split(separator: " ").last ?? ""))
            #expect(try await eventually(loop) { !isAlive(pid) })
        }
    }

    @Test func `SIGKILL follows after the grace`() async throws {
        try await onLoop { loop in
            let start = MonotonicInstant.now()
            let script = "trap '' TERM; >$READY; while :; do sleep 0.01; done"
            let result = try await runAndStop(script, killGrace: .milliseconds(100), on: loop)
            #expect(result == .retry(error: "signal 9 (Killed)", afterSeconds: nil))
            #expect(MonotonicInstant.now() - start >= .milliseconds(100))
        }
    }

    @Test(arguments: [
        [Cancellation.Reason.cancelled(grace: .milliseconds(100))], [.cancelled(grace: .seconds(3_600)), .shutdown],
        [.shutdown, .cancelled(grace: .seconds(3_600))],
    ])
    func `a cancelled job has its own grace, unless another reason has a shorter one`(
        reasons: [Cancellation.Reason]
    ) async throws {
        try await onLoop { loop in
            let script = "trap '' TERM; >$READY; while :; do sleep 0.01; done"
            let killGrace = Duration.milliseconds(reasons.count == 1 ? 3_600_000 : 100)
            let result = try await runAndStop(script, killGrace: killGrace, by: reasons, on: loop)
            #expect(result == .retry(error: "signal 9 (Killed)", afterSeconds: nil))
        }
    }

    @Test func `work that finishes after the cancellation counts`() async throws {
        try await onLoop { loop in
            let script = "trap 'echo 42; exit 0' TERM; >$READY; while :; do sleep 0.01; done"
            let result = try await runAndStop(script, on: loop)
            #expect(result.resultText == "42")
        }
    }

    @Test func `an attempt that is cancelled before its start is stopped`() async throws {
        try await onLoop { loop in
            let cancellation = Cancellation()
            cancellation.request(.leaseLost)
            let result = await shell("exec sleep 3600", on: loop).run(leasedJob(), cancellation: cancellation)
            #expect(result == .retry(error: "signal 15 (Terminated)", afterSeconds: nil))
        }
    }

    @Test func `the timeout of the handler stops an attempt, and the error names it`() async throws {
        try await onLoop { loop in
            let handler = shell("echo working >&2; exec sleep 3600", timeout: .milliseconds(100), on: loop)
            let error = await handler.run(leasedJob()).retryError
            #expect(error == "exceeded the handler's timeout of 0.1 seconds: signal 15 (Terminated): working")
        }
    }
}
