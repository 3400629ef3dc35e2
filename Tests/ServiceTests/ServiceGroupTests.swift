import EventLoop
import Synchronization
import Telemetry
import TestKit
import Testing
import Values

@testable import Service

/// What a group does with real services on a loop. Its decisions are in `GroupStateTests`.
@Suite struct ServiceGroupTests {
    private struct Failure: Error {}

    /// What happened, in order.
    private final class History: Sendable {
        private let list = Mutex<[String]>([])

        var events: [String] { list.withLock { $0 } }

        func add(_ event: String) {
            list.withLock { $0.append(event) }
        }
    }

    private final class Recorded: ProcessService {
        let name: String
        private let history: History
        private let onStart: @Sendable () async throws -> Void
        private let onStop: @Sendable () async -> Void

        init(
            _ name: String, _ history: History, start: @escaping @Sendable () async throws -> Void = {},
            stop: @escaping @Sendable () async -> Void = {}
        ) {
            self.name = name
            self.history = history
            onStart = start
            onStop = stop
        }

        func start() async throws {
            history.add("start \(name)")
            try await onStart()
        }

        func drain(until graceEnd: MonotonicInstant) { history.add("drain \(name)") }
        func hurry(until graceEnd: MonotonicInstant) { history.add("hurry \(name)") }

        func stop() async {
            await onStop()
            history.add("stop \(name)")
        }
    }

    private let log = CollectedLog()
    private let history = History()
    private let process: ProcessContext

    init() {
        process = ProcessContext(
            on: TestLoop.shared, logger: Logger(component: "test", level: .info, sink: log))
    }

    private var messages: [String] { log.records.map(\.message) }

    private func group(
        _ services: [any ProcessService], _ limits: DrainLimits = DrainLimits(grace: .seconds(60))
    ) -> ServiceGroup {
        ServiceGroup(services, limits, announcement: "running", in: process)
    }

    /// A service that asks the group to stop as soon as it has started.
    private func stopper(_ group: @escaping @Sendable () -> ServiceGroup?) -> TaskService {
        TaskService("stopper", in: process, drain: {}, run: { group()?.signalled() })
    }

    @Test func `services start in order and stop in reverse, after all of them have been drained`() async {
        let holder = Mutex<ServiceGroup?>(nil)
        let services: [any ProcessService] = [
            Recorded("a", history), Recorded("b", history), stopper { holder.withLock { $0 } },
        ]
        let group = group(services)
        holder.withLock { $0 = group }
        let status = await TestLoop.run { await group.run() }
        holder.withLock { $0 = nil }
        #expect(status == 0)
        #expect(history.events == ["start a", "start b", "drain b", "drain a", "stop b", "stop a"])
        #expect(messages.last == "stopped" && messages.contains("stopping"))
        #expect(process.status.state == .stopping)
    }

    @Test func `a service that fails to start ends the process with a clear line and status 1`() async {
        let services = [
            Recorded("a", history), Recorded("b", history, start: { throw Failure() }), Recorded("c", history),
        ]
        let group = group(services)
        let status = await TestLoop.run { await group.run() }
        #expect(status == 1)
        #expect(history.events == ["start a", "start b", "drain a", "stop a"])
        #expect(messages == ["cannot start", "stopping", "stopped"])
        #expect(log.records[0].fields.list.map(\.name) == ["service", "error"])
    }

    @Test func `a signal ends the wait for an obstacle at once, without an error`() async {
        let waiting = WakeSignal(on: TestLoop.shared)
        let process = process
        let gate = Recorded(
            "gate", history,
            start: {
                try await process.wait("waiting for it") {
                    waiting.wake()
                    return "it is not there"
                }
            })
        let group = group([Recorded("a", history), gate])
        let status = await TestLoop.run {
            let running = TestLoop.shared.spawn { #expect(await group.run() == 0) }
            await waiting.wait(until: .now() + .seconds(10))
            #expect(process.status.state != .working)
            group.signalled()
            await running.value
            return 0
        }
        #expect(status == 0)
        #expect(history.events == ["start a", "start gate", "drain a", "stop a"])
        #expect(messages == ["waiting for it", "stopping", "stopped"])
    }

    @Test func `each change of an obstacle is one line`() async throws {
        let reasons = Mutex(["one", "two"])
        let process = process
        try await TestLoop.run {
            try await process.wait("waiting for it") {
                reasons.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            }
        }
        #expect(messages == ["waiting for it", "waiting for it"])
    }

    @Test func `a service that hangs is left behind at the deadline, and those before it are stopped`() async {
        let hung = WakeSignal(on: TestLoop.shared)
        let services: [any ProcessService] = [
            Recorded("a", history), Recorded("hung", history, stop: { await hung.waitUnlessCancelled() }),
        ]
        let group = group(services, DrainLimits(grace: .zero))
        let status = await TestLoop.run {
            let running = TestLoop.shared.spawn { #expect(await group.run() == 0) }
            while process.status.state != .working { await Task.yield() }
            group.signalled()
            await running.value
            return 0
        }
        #expect(status == 0)
        #expect(history.events.suffix(2) == ["stop hung", "stop a"])
        #expect(messages.contains("the deadline of the drain has passed"))
    }

    @Test func `a service that ignores the deadline does not keep the process`() async {
        let forever = WakeSignal(on: TestLoop.shared)
        let services: [any ProcessService] = [
            Recorded("a", history), Recorded("deaf", history, stop: { await forever.wait() }),
        ]
        let group = group(services, DrainLimits(grace: .zero))
        let begin = MonotonicInstant.now()
        await TestLoop.run {
            let running = TestLoop.shared.spawn { #expect(await group.run() == 0) }
            while process.status.state != .working { await Task.yield() }
            group.signalled()
            await running.value
            forever.wake()
        }
        #expect(MonotonicInstant.now() - begin < .seconds(30))
        #expect(!history.events.contains("stop a"))
    }

    @Test func `a second signal reaches the services that have not stopped`() async {
        let hung = WakeSignal(on: TestLoop.shared)
        let services: [any ProcessService] = [
            Recorded("a", history), Recorded("slow", history, stop: { await hung.waitUnlessCancelled() }),
            Recorded("quick", history),
        ]
        let group = group(services)
        await TestLoop.run {
            let running = TestLoop.shared.spawn { #expect(await group.run() == 0) }
            while process.status.state != .working { await Task.yield() }
            group.signalled()
            while !history.events.contains("stop quick") { await Task.yield() }
            group.signalled()
            hung.wake()
            await running.value
        }
        #expect(history.events.suffix(4) == ["hurry slow", "hurry a", "stop slow", "stop a"])
        #expect(messages.contains("a second signal shortens the remaining drain"))
    }

    @Test func `a periodic service runs until it is stopped, or begins nothing after the drain has begun`() async {
        let counts = Mutex((early: 0, late: 0))
        let early = RepeatedAction("early") { counts.withLock { $0.early += 1 } }
        let late = RepeatedAction("late") { counts.withLock { $0.late += 1 } }
        let blocked = WakeSignal(on: TestLoop.shared)
        let services: [any ProcessService] = [
            PeriodicService(early, every: .milliseconds(1), in: process),
            PeriodicService(late, every: .milliseconds(1), in: process, whileDraining: true),
            Recorded("blocked", history, stop: { await blocked.wait() }),
        ]
        let group = group(services)
        await TestLoop.run {
            let running = TestLoop.shared.spawn { #expect(await group.run() == 0) }
            while counts.withLock({ $0.early < 3 || $0.late < 3 }) { await Task.yield() }
            group.signalled()
            let atDrain = counts.withLock { $0 }
            while counts.withLock({ $0.late < atDrain.late + 5 }) { await Task.yield() }
            #expect(counts.withLock { $0.early } == atDrain.early)
            blocked.wake()
            await running.value
        }
    }

    // MARK: Commands

    @Test(arguments: [0, 2] as [Int32])
    func `a command ends the process with its status`(expected: Int32) async {
        let group = ServiceGroup(
            [Recorded("a", history), OneShot("command", in: process) { expected }], DrainLimits(grace: .zero),
            interruptedStatus: 1, in: process)
        #expect(await TestLoop.run { await group.run() } == expected)
        #expect(history.events.last == "stop a")
        #expect(messages.isEmpty)
    }

    @Test func `an error of a command is logged, and its status is 1`() async {
        let group = ServiceGroup(
            [OneShot("command", in: process) { throw Failure() }], DrainLimits(grace: .zero), in: process)
        #expect(await TestLoop.run { await group.run() } == 1)
        #expect(messages == ["Failure()"])
    }

    @Test func `a command that is interrupted fails and says so`() async {
        let process = process
        let body: @Sendable () async throws -> Int32 = {
            try await process.loop.sleep(for: .seconds(3_600))
            return 0
        }
        let group = ServiceGroup(
            [OneShot("command", in: process, body)], DrainLimits(grace: .zero), interruptedStatus: 1, in: process)
        await TestLoop.run {
            let running = TestLoop.shared.spawn { #expect(await group.run() == 1) }
            await Task.yield()
            group.signalled()
            await running.value
        }
        #expect(messages == ["interrupted"])
    }
}
