import EventLoop
import Testing
import Values

@Suite struct WakeSignalTests {
    @Test func `a wake-up that comes before the wait is kept, and several are one`() async throws {
        try await onLoop { loop in
            let wakeSignal = WakeSignal(on: loop)
            wakeSignal.wake()
            wakeSignal.wake()
            #expect(await wakeSignal.wait())
            #expect(await !wakeSignal.wait(until: .now() + .milliseconds(2)))
        }
    }

    @Test func `a task that waits is woken`() async throws {
        try await onLoop { loop in
            let wakeSignal = WakeSignal(on: loop)
            let sleeper = Task(executorPreference: loop) { await wakeSignal.wait(until: .now() + .seconds(3600)) }
            await Task.yield()
            wakeSignal.wake()
            #expect(await sleeper.value)
        }
    }
}
