internal import EventLoop
internal import Synchronization
internal import Values

/// One child process of a handler, from its start until its process group is gone.
///
/// The attempt moves from `running` to `over`, directly or through `stopping`. It is over when the program has ended
/// *and* its outputs have ended. Background processes of the program may hold the outputs open for ever, so 250 ms
/// after the program's end its process group is killed, and the pipes are closed 250 ms later (`ExecLimits`). A process
/// that has left the group (`setsid`) is not found, and holds nothing of the attempt. On a failure:
/// - The program ignores SIGTERM: SIGKILL follows after the grace.
/// - This worker is suspended or dies: the process guard, a small process of its own, kills the group at the instant of
///   `limit`, or at once.
///
/// All timers use this machine's monotonic clock. The outputs are read at all times, also when nothing of them is kept:
/// a program must never wait for its reader.
final class ExecAttempt: Sendable {
    private enum Phase {
        /// Next: `stopping` after `stop`; `over` when the program and its outputs have ended.
        case running
        /// SIGTERM was sent, and SIGKILL follows after the grace. Next: `over`.
        case stopping
        /// The group is gone, and its number may belong to another: no signal is sent any more. Final.
        case over
    }

    private let child: ChildProcess
    private let loop: Loop
    private let command: ExecCommand
    private let phase = Mutex(Phase.running)

    /// Starts the command with the variables of a job or workload. Throws if the process cannot be started.
    /// - Parameter limit: as `limit(to:)`, from before the start; the process is not started after it.
    init(
        _ command: ExecCommand, _ variables: [String: String], limit: MonotonicInstant? = nil, on loop: Loop
    ) throws(SystemError) {
        child = try ChildProcess(command.processSpec(variables), killAt: limit, on: loop)
        self.command = command
        self.loop = loop
    }

    /// Sends SIGTERM to the process group, and SIGKILL after `grace`. With several calls the earliest SIGKILL applies.
    /// Call it on the loop.
    func stop(within grace: Duration) {
        let before = phase.withLock { phase in
            defer { if phase == .running { phase = .stopping } }
            return phase
        }
        guard before != .over else { return }
        if before == .running { child.signalGroup(Signals.terminate) }
        // The timer must not keep an attempt alive that ends before its grace.
        loop.schedule(at: .now() + grace) { [weak self] in self?.kill() }
    }

    /// The process guard kills the group at `instant`, also if this worker is suspended or dead, unless a later call
    /// moves the instant.
    func limit(to instant: MonotonicInstant) {
        if phase.withLock({ $0 != .over }) { child.killAt(instant) }
    }

    private func kill() {
        if phase.withLock({ $0 != .over }) { child.signalGroup(Signals.kill) }
    }

    /// Writes the payload, reads all outputs, and returns when the group is gone.
    /// - Parameter onErrorLine: called with each line of standard error.
    func run(
        payload: [UInt8], resultBytesMax: Int, errorTailBytesMax: Int = ExecLimits.errorTailBytesMax,
        onErrorLine: (@Sendable (String) -> Void)? = nil, progress: @escaping ProgressSink
    ) async -> ExecOutcome {
        async let written: Void = write(payload)
        async let output = drain(child.standardOutput, into: LastLine(bytesMax: resultBytesMax))
        async let errors = drain(
            child.standardError, into: ReportedOutput(bytesMax: errorTailBytesMax, onLine: onErrorLine))
        let reporting = ReportingOutput(bytesMax: resultBytesMax, report: progress)
        async let result = drain(child.result, into: reporting)

        let exit = await child.waitForExit()
        // The rest of the input has no reader any more.
        child.standardInput.close()
        let end = MonotonicInstant.now() + command.drainAfterExit
        let killing = loop.schedule(at: end) { [self] in kill() }
        let closing = loop.schedule(at: end + ExecLimits.drainAfterKill) { [child] in child.closeDescriptors() }
        var reported = await result
        reported.end()
        var errorOutput = await errors
        errorOutput.endLine()
        let outcome = await ExecOutcome(
            exit: exit, lastLine: output.line, result: reported.result, errors: errorOutput.tail)
        killing.cancel()
        closing.cancel()
        // Also when all outputs have ended: a background process may have closed them.
        kill()
        phase.withLock { $0 = .over }
        child.closeDescriptors()
        await written
        return outcome
    }

    /// Writes the payload to standard input. A program may leave its input unread, so errors are ignored.
    private func write(_ payload: [UInt8]) async {
        try? await child.standardInput.write(payload, deadline: nil)
        child.standardInput.close()
    }

    private func drain<Capture: OutputCapture>(_ pipe: PipeEnd, into capture: Capture) async -> Capture {
        var capture = capture
        var chunk: [UInt8] = []
        while true {
            chunk.removeAll(keepingCapacity: true)
            let wanted = capture.turnBytesMax
            guard let count = try? await pipe.read(into: &chunk, atMost: wanted, deadline: nil), count > 0
            else { return capture }
            capture.append(chunk[...])
            // More may be available at once, and a closed pipe never makes the reader wait: yield, so that a flood does
            // not block the loop.
            await Task.yield()
        }
    }
}
