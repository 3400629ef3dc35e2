import EventLoop
import Synchronization
import TestKit
import Testing
import Values

/// Runs `body` as a task of a new loop. Returns its result.
func onLoop<Value: Sendable>(
    _ label: String = "test", _ body: @escaping @Sendable (Loop) async throws -> Value
) async throws -> Value {
    let loop = try Loop.start(label: label)
    defer { loop.stop() }
    return try await Task(executorPreference: loop) { try await body(loop) }.value
}

/// A list of numbers in the order of appending.
private final class Log: Sendable {
    private let numbers = Mutex<[Int]>([])

    var entries: [Int] { numbers.withLock { $0 } }

    func append(_ number: Int) {
        numbers.withLock { $0.append(number) }
    }
}

@Suite struct LoopTests {
    @Test func `a task and the functions that it calls run on the loop's thread`() async throws {
        @Sendable func called(by loop: Loop) async -> Bool {
            await Task.yield()
            return loop.isCurrent
        }
        let (here, there) = try await onLoop { loop in (loop.isCurrent, await called(by: loop)) }
        #expect(here)
        #expect(there)
    }

    @Test func `work submitted from other threads runs in order for each thread`() async throws {
        let seen = try await onLoop { loop in
            let logs = (0..<4).map { _ in Log() }
            await withTaskGroup(of: Void.self) { group in
                for log in logs {
                    group.addTask(executorPreference: globalConcurrentExecutor) { @Sendable in
                        for number in 0..<1000 { loop.execute { log.append(number) } }
                    }
                }
            }
            await withCheckedContinuation { done in loop.execute { done.resume() } }
            return logs.map(\.entries)
        }
        #expect(seen == Array(repeating: Array(0..<1000), count: 4))
    }

    @Test func `tasks that are always ready do not starve timers`() async throws {
        try await onLoop { loop in
            let spinner = loop.spawn { while !Task.isCancelled { await Task.yield() } }
            try await loop.sleep(for: .milliseconds(5))
            spinner.cancel()
        }
    }

    @Test func `timers fire in the order of their deadlines, and cancelled timers do not fire`() async throws {
        let fired = try await onLoop { loop in
            let log = Log()
            await withCheckedContinuation { done in
                let start = MonotonicInstant.now()
                var timers: [LoopTimer] = []
                for number in [5, 1, 4, 2, 3, 6] {
                    timers.append(
                        loop.schedule(at: start + .milliseconds(number)) {
                            log.append(number)
                            if number == 6 { done.resume() }
                        })
                }
                timers[2].cancel()
                timers[2].cancel()
                #expect(!timers[2].isArmed)
            }
            return log.entries
        }
        #expect(fired == [1, 2, 3, 5, 6])
    }

    @Test func `a timer never fires early, and arming it again replaces its deadline`() async throws {
        let late = try await onLoop { loop in
            let start = MonotonicInstant.now()
            return await withCheckedContinuation { done in
                let timer = loop.timer { done.resume(returning: MonotonicInstant.now() - start) }
                timer.arm(at: start + .seconds(3600))
                timer.arm(at: start + .milliseconds(20))
            }
        }
        #expect(late >= .milliseconds(20))
    }

    @Test(arguments: TestSeeds.take(5))
    func `the timer heap fires in sorted order after random changes`(seed: UInt64) async throws {
        let (fired, expected) = try await onLoop { loop in
            var random = SeededGenerator(seed: seed)
            let log = Log()
            var deadlines: [Int: Int64] = [:]
            var timers: [Int: LoopTimer] = [:]
            let start = MonotonicInstant.now().nanoseconds
            for step in 0..<500 {
                let key = Int.random(in: 0..<100, using: &random)
                if Bool.random(using: &random), let timer = timers[key] {
                    timer.cancel()
                    deadlines[key] = nil
                } else {
                    let timer = timers[key] ?? loop.timer { log.append(key) }
                    timers[key] = timer
                    // Distinct deadlines, so that there is one correct order.
                    let deadline = start + Int64.random(in: 0..<1000, using: &random) * 1000 + Int64(step)
                    timer.arm(at: MonotonicInstant(nanoseconds: deadline))
                    deadlines[key] = deadline
                }
            }
            try await loop.sleep(for: .milliseconds(10))
            return (log.entries, deadlines.sorted { $0.value < $1.value }.map(\.key))
        }
        #expect(fired == expected, "seed \(seed)")
    }

    @Test func `a cancelled sleep ends at once`() async throws {
        try await onLoop { loop in
            let started = MonotonicInstant.now()
            let sleeper = Task(executorPreference: loop) { try await loop.sleep(for: .seconds(3600)) }
            await Task.yield()
            sleeper.cancel()
            await #expect(throws: CancellationError.self) { try await sleeper.value }
            #expect(MonotonicInstant.now() - started < .seconds(60))
        }
    }
}
