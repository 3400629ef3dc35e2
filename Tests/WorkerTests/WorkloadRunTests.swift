import EventLoop
import Pools
import Synchronization
import Testing
import Values

@testable import Worker

/// A workload's process, without a pool.
@Suite struct WorkloadRunTests {
    private final class Reports: Sendable {
        private let reports = Mutex<[WorkloadReport]>([])
        func add(_ report: WorkloadReport) { reports.withLock { $0.append(report) } }
        var all: [WorkloadReport] { reports.withLock { $0 } }
    }

    private func run(
        _ script: String, _ reports: Reports, hear: @escaping @Sendable (String) -> Void = { _ in },
        mayStart: @escaping @Sendable () -> Bool = { true }, on loop: Loop
    ) -> WorkloadRun {
        let command = shell(script, killGrace: .milliseconds(200), on: loop).command
        let dependencies = WorkloadRun.Dependencies(
            command: { .success(command) }, mayStart: mayStart, report: { reports.add($0) }, hear: hear,
            variables: ["JOBQUEUE_WORKLOAD": "camera"])
        return WorkloadRun(dependencies, on: loop)
    }

    @Test func `what ends by itself is reported with its reason, and a stop ends the pause`() async throws {
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

    @Test func `what it says on standard error is heard line by line`() async throws {
        try await onLoop { loop in
            let reports = Reports()
            let lines = Mutex<[String]>([])
            let script = "printf 'one\\n\\n  \\ntwo' >&2; sleep 0.1; printf ' three\\nlast' >&2; echo unheard"
            let run = run(script, reports, hear: { line in lines.withLock { $0.append(line) } }, on: loop)
            let task = loop.spawn { await run.run() }
            let isSeen = try await eventually(loop) { reports.all.count == 2 }
            #expect(isSeen)
            run.stop(within: .zero)
            await task.value
            #expect(lines.withLock { $0 } == ["one", "two three", "last"])
        }
    }

    @Test func `lines that are too long are heard in pieces, and the end of all is kept`() {
        let lines = Mutex<[String]>([])
        var output = ReportedOutput(bytesMax: 8) { line in lines.withLock { $0.append(line) } }
        output.append(Array((String(repeating: "a", count: 5_000) + "\nb\n").utf8)[...])
        #expect(lines.withLock { $0.map(\.utf8.count) } == [4_096, 904, 1])
        #expect(output.tail.text.hasSuffix("aaaaa\nb"))
    }

    @Test func `a stop ends the process, by force if need be, and it is no failure`() async throws {
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

    @Test func `one that is renewed begins anew at once`() async throws {
        try await onLoop { loop in
            let reports = Reports()
            let run = run("exec sleep 1000", reports, on: loop)
            let task = loop.spawn { await run.run() }
            let isSeen = try await eventually(loop) { reports.all.count == 1 }
            #expect(isSeen)
            run.renew(within: .seconds(1))
            let isAnew = try await eventually(loop) { reports.all.count == 2 }
            #expect(isAnew)
            run.stop(within: .seconds(1))
            run.renew(within: .seconds(1))
            await task.value
            #expect(
                reports.all == [
                    WorkloadReport(isRunning: true, restarts: 0), WorkloadReport(isRunning: true, restarts: 1),
                ])
        }
    }

    @Test func `nothing is started under a lease that is about to end, or after a stop`() async throws {
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
