import EventLoop
import Pools
import Synchronization
import Testing
import Values

@testable import Worker

/// The process of a workload, without a pool.
@Suite struct WorkloadRunTests {
    private final class Reports: Sendable {
        private let reports = Mutex<[WorkloadReport]>([])
        func add(_ report: WorkloadReport) { reports.withLock { $0.append(report) } }
        var all: [WorkloadReport] { reports.withLock { $0 } }
    }

    private func run(
        _ script: String, _ reports: Reports, errorLine: @escaping @Sendable (String) -> Void = { _ in },
        mayStart: @escaping @Sendable () -> Bool = { true }, on loop: Loop
    ) -> WorkloadRun {
        let command = shell(script, killGrace: .milliseconds(200), on: loop).command
        let dependencies = WorkloadRun.Dependencies(
            command: { .success(command) }, mayStart: mayStart, report: { reports.add($0) }, errorLine: errorLine,
            variables: ["JOBQUEUE_WORKLOAD": "camera"])
        return WorkloadRun(dependencies, on: loop)
    }

    @Test func `an ended process is reported with its error, and a stop ends the restart pause`() async throws {
        try await onLoop { loop in
            let reports = Reports()
            let run = run("echo \"$JOBQUEUE_WORKLOAD $JOBQUEUE_RESTARTS\" >&2; exit 4", reports, on: loop)
            let task = loop.spawn { await run.run() }
            let isSeen = try await eventually(loop) { reports.all.count == 2 }
            #expect(isSeen)
            run.stop(within: .seconds(1))
            await task.value
            #expect(
                reports.all == [
                    WorkloadReport(isRunning: true, restarts: 0),
                    WorkloadReport(isRunning: false, restarts: 0, error: "exit code 4: camera 0"),
                ])
        }
    }

    @Test func `standard error is passed on line by line`() async throws {
        try await onLoop { loop in
            let reports = Reports()
            let lines = Mutex<[String]>([])
            let script = "printf 'one\\n\\n  \\ntwo' >&2; sleep 0.1; printf ' three\\nlast' >&2; echo ignored"
            let run = run(script, reports, errorLine: { line in lines.withLock { $0.append(line) } }, on: loop)
            let task = loop.spawn { await run.run() }
            let isSeen = try await eventually(loop) { reports.all.count == 2 }
            #expect(isSeen)
            run.stop(within: .zero)
            await task.value
            #expect(lines.withLock { $0 } == ["one", "two three", "last"])
        }
    }

    @Test func `long lines are split, and the end of the output is kept`() {
        let lines = Mutex<[String]>([])
        var output = ReportedOutput(bytesMax: 8) { line in lines.withLock { $0.append(line) } }
        output.append(Array((String(repeating: "a", count: 5_000) + "\nb\n").utf8)[...])
        #expect(lines.withLock { $0.map(\.utf8.count) } == [4_096, 904, 1])
        #expect(output.tail.text.hasSuffix("aaaaa\nb"))
    }

    @Test func `a stop ends the process, with SIGKILL if necessary, and is not reported as a failure`() async throws {
        try await onLoop { loop in
            let reports = Reports()
            let run = run("trap '' TERM; while :; do sleep 0.01; done", reports, on: loop)
            let task = loop.spawn { await run.run() }
            let isSeen = try await eventually(loop) { !reports.all.isEmpty }
            #expect(isSeen)
            try await loop.sleep(for: .milliseconds(100))
            let start = MonotonicInstant.now()
            run.stop(within: .milliseconds(200))
            await task.value
            #expect(MonotonicInstant.now() - start >= .milliseconds(190))
            #expect(reports.all == [WorkloadReport(isRunning: true, restarts: 0)])
        }
    }

    @Test func `a requested restart happens at once`() async throws {
        try await onLoop { loop in
            let reports = Reports()
            let run = run("exec sleep 1000", reports, on: loop)
            let task = loop.spawn { await run.run() }
            let isSeen = try await eventually(loop) { reports.all.count == 1 }
            #expect(isSeen)
            run.restart(within: .seconds(1))
            let isRestarted = try await eventually(loop) { reports.all.count == 2 }
            #expect(isRestarted)
            run.stop(within: .seconds(1))
            run.restart(within: .seconds(1))
            await task.value
            #expect(
                reports.all == [
                    WorkloadReport(isRunning: true, restarts: 0), WorkloadReport(isRunning: true, restarts: 1),
                ])
        }
    }

    @Test func `nothing starts under a lease that is about to end, or after a stop`() async throws {
        try await onLoop { loop in
            let reports = Reports()
            await run("exit 0", reports, mayStart: { false }, on: loop).run()
            let stopped = run("exit 0", reports, on: loop)
            stopped.stop(within: .zero)
            await stopped.run()
            #expect(reports.all.isEmpty)
        }
    }
}
