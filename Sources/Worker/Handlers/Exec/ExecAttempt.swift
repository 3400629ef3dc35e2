internal import EventLoop
internal import Synchronization
internal import Values

/// One child process of a handler, from its start until its process group is gone.
///
/// Its outputs are read all the time, also when nothing of them is kept: a program must never wait for its reader. It
/// is over when the program has ended *and* its outputs have, or soon after, because what the program left in the
/// background may hold them open for ever: its process group is then killed, and the pipes are closed. A process
/// that has left the group (`setsid`) is not found any more, but it holds nothing of the attempt either.
final class ExecAttempt: Sendable {
    private enum Phase {
        /// Next: `stopping` when it is asked to stop, `over` when the program ends by itself.
        case running
        /// SIGTERM was sent, SIGKILL follows. Next: `over`.
        case stopping
        /// The group is gone, and its number may belong to others: no signal is sent any more.
        case over
    }

    private let child: ChildProcess
    private let loop: Loop
    private let command: ExecCommand
    private let phase = Mutex(Phase.running)

    /// Starts the command with the variables that tell it what it is to do. Throws why it could not be started.
    init(_ command: ExecCommand, _ variables: [String: String], on loop: Loop) throws(SystemError) {
        child = try ChildProcess(command.processSpec(variables), on: loop)
        self.command = command
        self.loop = loop
    }

    /// Asks the whole group to end, and ends it when the grace is over. Asked again, the shorter grace counts. Call it on
    /// the loop.
    func stop(within grace: Duration) {
        let before = phase.withLock { phase in
            defer { if phase == .running { phase = .stopping } }
            return phase
        }
        guard before != .over else { return }
        if before == .running { child.signalGroup(Signals.terminate) }
        // An attempt that has ended long before its grace does not live on for it.
        loop.schedule(at: .now() + grace) { [weak self] in self?.kill() }
    }

    /// The whole group is killed at `instant`, whatever becomes of this process, unless that is put off before.
    func limit(to instant: MonotonicInstant) {
        if phase.withLock({ $0 != .over }) { child.killAt(instant) }
    }

    private func kill() {
        if phase.withLock({ $0 != .over }) { child.signalGroup(Signals.kill) }
    }

    /// Hands over the payload, reads all outputs, and returns when the group is gone.
    /// - Parameter errorLine: told each line of standard error.
    func run(
        payload: [UInt8], resultBytesMax: Int, errorTailBytesMax: Int = ExecLimits.errorTailBytesMax,
        errorLine: (@Sendable (String) -> Void)? = nil, progress: @escaping ProgressSink
    ) async -> ExecOutcome {
        async let fed: Void = feed(payload)
        async let output = drain(child.standardOutput, into: LastLine(bytesMax: resultBytesMax))
        async let errors = drain(
            child.standardError, into: ReportedOutput(bytesMax: errorTailBytesMax, tell: errorLine))
        let reporting = ReportingOutput(bytesMax: resultBytesMax, report: progress)
        async let result = drain(child.result, into: reporting)

        let exit = await child.waitForExit()
        // What the program has not read by now nobody will.
        child.standardInput.close()
        let end = MonotonicInstant.now() + command.drainAfterExit
        let killing = loop.schedule(at: end) { [self] in kill() }
        let closing = loop.schedule(at: end + ExecLimits.drainAfterKill) { [child] in child.closeDescriptors() }
        var reported = await result
        reported.end()
        var told = await errors
        told.end()
        let outcome = await ExecOutcome(
            exit: exit, lastLine: output.line, result: reported.result, errors: told.tail)
        killing.cancel()
        closing.cancel()
        // Also when all outputs have ended: what was left in the background may have closed them.
        kill()
        phase.withLock { $0 = .over }
        child.closeDescriptors()
        await fed
        return outcome
    }

    /// A program that does not read its input, or not all of it, has its reasons.
    private func feed(_ payload: [UInt8]) async {
        try? await child.standardInput.write(payload, deadline: nil)
        child.standardInput.close()
    }

    private func drain<Capture: OutputCapture>(_ pipe: PipeEnd, into capture: Capture) async -> Capture {
        var capture = capture
        var chunk: [UInt8] = []
        while true {
            chunk.removeAll(keepingCapacity: true)
            guard let count = try? await pipe.read(into: &chunk, atMost: ExecLimits.readBytesMax, deadline: nil),
                count > 0
            else { return capture }
            capture.append(chunk[...])
            // A full read: more may be there already, and a flood must not keep the loop from its other work.
            if count == ExecLimits.readBytesMax { await Task.yield() }
        }
    }
}
