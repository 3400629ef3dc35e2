import Testing
import Values

@testable import Worker

@Suite struct RateTimersTests {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    private func leased(
        _ timers: inout RateTimers, held: [String: Duration] = [:], served: Set<String> = [], after: Duration
    ) {
        timers.leased(held: held, served: served, at: start + after, random: 0)
    }

    @Test func `the worker that started the last job keeps the time`() {
        var timers = RateTimers()
        leased(&timers, held: ["a": .seconds(10)], served: ["a"], after: .zero)
        #expect(timers.next == start + .seconds(10))
        // An answer in between changes nothing, and an early one leaves it the keeper.
        leased(&timers, held: ["a": .seconds(6)], after: .seconds(4))
        #expect(timers.next == start + .seconds(10))
        leased(&timers, held: ["a": .milliseconds(1)], after: .seconds(10))
        #expect(timers.next == start + .seconds(10) + .milliseconds(1))
    }

    @Test func `others look later, and do not put that off`() {
        var timers = RateTimers()
        leased(&timers, held: ["a": .seconds(2)], after: .zero)
        #expect(timers.next == start + .seconds(2.5))
        leased(&timers, held: ["a": .seconds(2)], after: .seconds(1))
        #expect(timers.next == start + .seconds(2.5))
        leased(&timers, held: ["a": .seconds(2)], after: .seconds(2.5))
        #expect(timers.next == start + .seconds(5))
    }

    @Test func `who finds that another was first no longer keeps the time`() {
        var timers = RateTimers()
        leased(&timers, held: ["a": .seconds(1)], served: ["a"], after: .zero)
        leased(&timers, held: ["a": .seconds(1)], after: .seconds(1))
        #expect(timers.next == start + .seconds(2.5))
        #expect(timers.giveUp() == [])
    }

    @Test func `a queue that is no longer held back is forgotten`() {
        var timers = RateTimers()
        leased(&timers, held: ["a": .seconds(1), "b": .seconds(3)], served: ["a", "b"], after: .zero)
        leased(&timers, after: .seconds(1))
        #expect(timers.next == start + .seconds(3))
        leased(&timers, served: ["b"], after: .seconds(2))
        #expect(timers.next == nil)
    }

    @Test func `a worker that does not lease passes on what is due, and what it keeps when it ends`() {
        var timers = RateTimers()
        leased(&timers, held: ["a": .seconds(1), "b": .seconds(3)], served: ["a", "b"], after: .zero)
        #expect(timers.takeDue(at: start + .milliseconds(900)) == [])
        #expect(timers.takeDue(at: start + .seconds(1)) == ["a"])
        #expect(timers.giveUp() == ["b"])
        #expect(timers.next == nil)
    }
}
