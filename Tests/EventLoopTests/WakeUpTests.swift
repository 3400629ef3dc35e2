import EventLoop
import Testing

@Suite struct WakeUpTests {
    @Test func `a wake-up that comes before the wait is kept, and several are one`() async throws {
        try await onLoop { loop in
            let wakeUp = WakeUp(on: loop)
            wakeUp.wake()
            wakeUp.wake()
            #expect(await wakeUp.wait())
            #expect(await !wakeUp.wait(until: .now() + .milliseconds(2)))
        }
    }

    @Test func `a task that waits is woken`() async throws {
        try await onLoop { loop in
            let wakeUp = WakeUp(on: loop)
            let sleeper = Task(executorPreference: loop) { await wakeUp.wait(until: .now() + .seconds(3600)) }
            await Task.yield()
            wakeUp.wake()
            #expect(await sleeper.value)
        }
    }
}
