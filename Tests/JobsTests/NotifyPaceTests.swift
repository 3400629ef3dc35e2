import Testing
import Values

@testable import Jobs

@Suite struct NotifyPaceTests {
    private func instant(_ milliseconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: (10_000 + milliseconds) * 1_000_000)
    }

    @Test func `occasional notifications follow each other at once`() {
        var pace = NotifyPace()
        for milliseconds in [0, 1, 2, 60, 61, 62, 120] as [Int64] {
            #expect(pace.sent(at: instant(milliseconds)) == nil)
        }
    }

    @Test func `many notifications are at least ten milliseconds apart on average`() {
        var pace = NotifyPace()
        var now = instant(0)
        var count = 0
        while now < instant(1_000) {
            count += 1
            now = pace.sent(at: now) ?? now
        }
        #expect(count == 100 + NotifyPace.burst)
    }

    @Test func `a quiet time saves up no more than the burst`() {
        var pace = NotifyPace()
        _ = pace.sent(at: instant(0))
        let sent = (0..<NotifyPace.burst + 1).map { _ in pace.sent(at: instant(60_000)) == nil }
        #expect(sent == Array(repeating: true, count: NotifyPace.burst) + [false])
    }
}
