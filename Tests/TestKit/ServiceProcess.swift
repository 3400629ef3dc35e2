public import EventLoop
import Glibc
import Synchronization

/// A program that runs beside a test: one of our binaries or any other. `withServices` starts and ends it.
public final class ServiceProcess: Sendable {
    public let name: String
    public let pid: Int32
    private let child: ChildProcess
    private let output = ServiceOutput()
    private let exit = Mutex<ProcessExit?>(nil)
    /// How the process ended, once `output` has all that it wrote.
    private let completion: Task<ProcessExit, Never>

    /// Starts it; call on `TestLoop`.
    init(_ name: String, _ spec: ProcessSpec) throws(SystemError) {
        self.name = name
        child = try ChildProcess(spec, on: TestLoop.shared)
        pid = child.pid
        child.standardInput.close()
        child.result.close()
        TestLoop.shared.spawn { [child, output] in await output.collect(.standardOutput, from: child.standardOutput) }
        TestLoop.shared.spawn { [child, output] in await output.collect(.standardError, from: child.standardError) }
        let ended = FirstAnswer<ProcessExit>()
        completion = Task { await ended.take() }
        TestLoop.shared.spawn { [self] in
            let status = await child.waitForExit()
            exit.withLock { $0 = status }
            // The kernel reports the last output before the end of the process, so both collectors are ready to run by
            // now, but possibly behind this task. In the loop's next turn they have read what a pipe can hold.
            await Task.yield()
            ended.give(status)
        }
    }

    /// All lines of standard output and standard error so far. Their count is a position for `waitForLine`.
    public var lines: [String] { output.lines }

    /// How it ended; nil while it runs. Its last lines may come a moment later.
    public var exited: ProcessExit? { exit.withLock { $0 } }

    /// The first line, from position `start` on, that contains `text`. Throws a `ServiceFailure` when there is none
    /// within `duration`, or the output ends without one.
    @discardableResult
    public func waitForLine(
        containing text: String, from start: Int = 0, within duration: Duration = .seconds(10)
    ) async throws(ServiceFailure) -> String {
        guard let line = await output.line(containing: text, from: start, within: duration) else {
            throw ServiceFailure(self, "no line with \"\(text)\" within \(duration)")
        }
        return line
    }

    /// Signals the process itself, not what it has started. Nothing happens when it has ended.
    public func signal(_ number: Int32) {
        exit.withLock { exit in
            if exit == nil { kill(pid, number) }
        }
    }

    /// How it ended. `lines` then has everything that the process itself wrote; a process that it started may still
    /// write. Throws a `ServiceFailure` when it still runs after `duration`.
    @discardableResult
    public func waitForExit(within duration: Duration = .seconds(10)) async throws(ServiceFailure) -> ProcessExit {
        let answer = FirstAnswer<ProcessExit?>()
        answer.give(nil, after: duration)
        Task { [completion] in answer.give(await completion.value) }
        guard let status = await answer.take() else { throw ServiceFailure(self, "still runs after \(duration)") }
        return status
    }

    /// Kills it and all that is left of its process group, and waits until it is reaped.
    func end() async {
        child.signalGroup(SIGKILL)
        await TestLoop.run { [child] in
            _ = await child.waitForExit()
            child.closeDescriptors()
        }
    }
}

/// A service that did not do what the test waited for, with the last lines that it wrote.
public struct ServiceFailure: Error, CustomStringConvertible {
    public let description: String

    init(_ service: ServiceProcess, _ what: String) {
        let state = service.exited.map { "ended with \($0)" } ?? "runs as \(service.pid)"
        let lines = service.lines.suffix(20).map { "\n    \($0)" }.joined()
        description =
            "\(service.name) (\(state)): \(what)" + (lines.isEmpty ? "; it wrote nothing" : "; it wrote:\(lines)")
    }
}
