import EventLoop
import Synchronization
import TestKit
import Testing

@testable import Api

@Suite struct SingleFlightCacheTests {
    /// Counts its calls, and answers each on demand.
    private final class Source: Sendable {
        private let state = Mutex((calls: 0, waiting: [CheckedContinuation<Void, Never>]()))
        private let (calls, called) = AsyncStream.makeStream(of: Int.self)

        func find() async -> Int {
            let number = state.withLock { state in
                state.calls += 1
                return state.calls
            }
            called.yield(number)
            await withCheckedContinuation { continuation in state.withLock { $0.waiting.append(continuation) } }
            return number
        }

        func waitForCall() async -> Int {
            for await number in calls { return number }
            return 0
        }

        /// Lets the oldest call that waits answer.
        func answer() async {
            while true {
                if let continuation = state.withLock({ $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }) {
                    return continuation.resume()
                }
                await Task.yield()
            }
        }

        var callCount: Int { state.withLock { $0.calls } }
    }

    private func shared(_ source: Source, keptFor: Duration, limit: Duration = .seconds(60)) -> SingleFlightCache<Int> {
        SingleFlightCache(
            on: TestLoop.shared, keptFor: keptFor, limit: limit, whenLate: { -1 }, find: { await source.find() })
    }

    @Test func `concurrent callers share one answer, which is cached`() async {
        let source = Source()
        let answer = shared(source, keptFor: .seconds(60))
        async let first = answer.value()
        #expect(await source.waitForCall() == 1)
        async let second = answer.value()
        async let third = answer.value()
        await source.answer()
        #expect(await [first, second, third] == [1, 1, 1])
        #expect(await answer.value() == 1)
        #expect(source.callCount == 1)
    }

    @Test func `an answer that is too old is read again`() async {
        let source = Source()
        let answer = shared(source, keptFor: .zero)
        for number in 1...3 {
            async let value = answer.value()
            #expect(await source.waitForCall() == number)
            await source.answer()
            #expect(await value == number)
        }
    }

    @Test func `no caller waits beyond the limit, and a later answer is ignored`() async {
        let source = Source()
        let answer = shared(source, keptFor: .zero, limit: .milliseconds(5))
        #expect(await answer.value() == -1)
        let patient = shared(source, keptFor: .seconds(60))
        async let next = patient.value()
        #expect(await source.waitForCall() == 1)
        #expect(await source.waitForCall() == 2)
        // The first belongs to the question that was given up.
        await source.answer()
        await source.answer()
        #expect(await next == 2)
    }
}
