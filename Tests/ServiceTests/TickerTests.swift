import EventLoop
import Postgres
import Synchronization
import Telemetry
import TestKit
import Testing
import Values

@testable import Service

/// A task whose runs end as they were told to; then it ends well.
private struct Scripted: PeriodicTask {
    let name = "scripted"

    struct Report: TaskReport {
        var isNotable = false
        var dueIn: Duration?
        var message: String { "something was done" }
        var fields: LogFields { ["count": 3] }
    }

    /// What the runs of all copies have seen.
    final class History: Sendable {
        private let state = Mutex((runs: 0, running: 0, overlaps: 0))

        var runs: Int { state.withLock { $0.runs } }
        var overlaps: Int { state.withLock { $0.overlaps } }

        func began() {
            state.withLock { state in
                state.runs += 1
                state.running += 1
                if state.running > 1 { state.overlaps += 1 }
            }
        }

        func ended() {
            state.withLock { $0.running -= 1 }
        }
    }

    var script: [Result<Report, PostgresError>]
    let history = History()
    /// After so many runs it says so.
    var expected = Int.max
    var reached: (@Sendable () -> Void)?

    mutating func runOnce() async throws(PostgresError) -> Report {
        history.began()
        defer { history.ended() }
        await Task.yield()
        if history.runs == expected { reached?() }
        return script.isEmpty ? Report() : try script.removeFirst().get()
    }
}

@Suite struct TickerTests {
    private let log = CollectedLog()
    private var logger: Logger { Logger(component: "reaper", level: .info, sink: log) }
    private let gone = PostgresError.connectionFailed(reason: "refused")
    private let broken = PostgresError.misuse("no")

    private func ticker(
        _ work: Scripted, every interval: Duration = .milliseconds(1), wake: WakeSignal? = nil
    ) -> Ticker<Scripted> {
        Ticker(
            work, every: interval, pauseMin: .zero, on: TestLoop.shared, reachability: Reachability(logger: logger),
            wake: wake, logger: logger, countsLevel: .info)
    }

    private func start(_ ticker: Ticker<Scripted>) -> Task<Void, Never> {
        TestLoop.shared.spawn {
            var ticker = ticker
            await ticker.run()
        }
    }

    private var messages: [String] { log.records.map(\.message) }

    @Test func `a run that did something is one line`() async {
        await TestLoop.run {
            var ticker = ticker(Scripted(script: [.success(.init(isNotable: true)), .success(.init())]))
            _ = await ticker.tick()
            _ = await ticker.tick()
        }
        #expect(messages == ["something was done"])
        let fields = log.records[0].fields.list.map(\.name)
        #expect(fields == ["task", "count", "duration_ms"])
    }

    @Test func `an outage is a line when it begins and one when it ends`() async {
        await TestLoop.run {
            var ticker = ticker(Scripted(script: Array(repeating: .failure(gone), count: 20)))
            for _ in 0..<25 { _ = await ticker.tick() }
            #expect(ticker.counts.runs == 25 && ticker.counts.failures == 20)
        }
        #expect(messages == ["PostgreSQL cannot be reached; retrying", "PostgreSQL answers again"])
        #expect(log.records.map(\.level) == [.warning, .info])
    }

    @Test func `another failure is logged with its place in the row, less and less often`() async {
        await TestLoop.run {
            var ticker = ticker(Scripted(script: Array(repeating: .failure(broken), count: 9)))
            for _ in 0..<9 { _ = await ticker.tick() }
        }
        #expect(log.records.count == 4)
        #expect(log.records.allSatisfy { $0.level == .error })
    }

    @Test func `a task goes on after errors, and never overlaps itself`() async throws {
        let reached = WakeSignal(on: TestLoop.shared)
        var work = Scripted(script: [.failure(broken), .success(.init()), .failure(broken)])
        work.expected = 10
        work.reached = { reached.wake() }
        let history = work.history
        let running = start(ticker(work))
        #expect(await TestLoop.run { await reached.wait(until: .now() + .seconds(10)) })
        running.cancel()
        await running.value
        #expect(history.overlaps == 0)
        #expect(messages.last == "stopped")
    }

    @Test func `a task that waits for its next run stops at once`() async {
        let reached = WakeSignal(on: TestLoop.shared)
        var work = Scripted(script: [])
        work.expected = 1
        work.reached = { reached.wake() }
        let running = start(ticker(work, every: .seconds(3_600)))
        #expect(await TestLoop.run { await reached.wait(until: .now() + .seconds(10)) })
        let start = MonotonicInstant.now()
        running.cancel()
        await running.value
        #expect(MonotonicInstant.now() - start < .seconds(5))
    }

    @Test func `a wake-up ends the pause before the next run`() async {
        let reached = WakeSignal(on: TestLoop.shared)
        let wake = WakeSignal(on: TestLoop.shared)
        var work = Scripted(script: [])
        work.expected = 2
        work.reached = { reached.wake() }
        let running = start(ticker(work, every: .seconds(3_600), wake: wake))
        TestLoop.shared.execute { wake.wake() }
        #expect(await TestLoop.run { await reached.wait(until: .now() + .seconds(10)) })
        running.cancel()
        await running.value
    }

    @Test func `to finish is to run until nothing more is due`() async {
        await TestLoop.run {
            let more = Scripted.Report(dueIn: .zero)
            var ticker = ticker(Scripted(script: [.success(more), .success(more), .success(.init())]))
            #expect(await ticker.finish())
            #expect(ticker.counts.runs == 3)
        }
    }

    @Test func `a failure ends the attempt to finish`() async {
        await TestLoop.run {
            var ticker = ticker(Scripted(script: [.success(.init(dueIn: .zero)), .failure(gone)]))
            #expect(await !ticker.finish())
            #expect(ticker.counts.runs == 2)
        }
    }
}

@Suite struct ReachabilityTests {
    private let log = CollectedLog()

    private func instant(_ seconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: seconds * 1_000_000_000)
    }

    @Test func `an outage ends when every task that it has met is answered again`() {
        let reachability = Reachability(logger: Logger(component: "reaper", level: .info, sink: log))
        let error = PostgresError.closed
        reachability.answered(task: "a", at: instant(0))
        reachability.failed(error, task: "a", at: instant(1))
        reachability.failed(error, task: "b", at: instant(2))
        reachability.answered(task: "c", at: instant(3))
        reachability.answered(task: "a", at: instant(4))
        #expect(log.records.count == 1)
        reachability.answered(task: "b", at: instant(5))
        #expect(log.records.count == 2)
        #expect(log.records[1].fields.list.last?.value == .milliseconds(.seconds(4)))
        reachability.failed(error, task: "b", at: instant(6))
        #expect(log.records.count == 3)
    }

    @Test func `one slow statement is no outage`() {
        #expect(!Reachability.isOutage(.deadlineExceeded(outcomeUnknown: true)))
        #expect(Reachability.isOutage(.connectionLost(reason: "", outcomeUnknown: true)))
        #expect(!Reachability.isOutage(.misuse("")))
    }
}
