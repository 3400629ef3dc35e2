import EventLoop
import Testing
import Values

@Suite struct WakeSignalTests {
    @Test func `a signal before the wait is stored, and several count as one`() async throws {
        try await onLoop { loop in
            let wakeSignal = WakeSignal(on: loop)
            wakeSignal.wake()
            wakeSignal.wake()
            #expect(await wakeSignal.wait())
            #expect(await !wakeSignal.wait(until: .now() + .milliseconds(2)))
        }
    }

    @Test func `a signal wakes a waiting task`() async throws {
        try await onLoop { loop in
            let wakeSignal = WakeSignal(on: loop)
            let sleeper = Task(executorPreference: loop) { await wakeSignal.wait(until: .now() + .seconds(3600)) }
            await Task.yield()
            wakeSignal.wake()
            #expect(await sleeper.value)
        }
    }
}
