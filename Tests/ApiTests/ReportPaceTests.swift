import Testing
import Values

@testable import Api

@Suite struct ReportPaceTests {
    private func instant(_ milliseconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: milliseconds * 1_000_000)
    }

    @Test func `a quick report is read when it is a second old, and waited for`() {
        var pace = ReportPace(quick: .milliseconds(40))
        #expect(pace.asked(at: instant(0)) == (true, .wait))
        #expect(pace.asked(at: instant(5)) == (false, .wait))
        pace.ended(at: instant(10), succeeded: true)
        #expect(pace.asked(at: instant(1_000)) == (false, .answer))
        #expect(pace.asked(at: instant(1_010)) == (true, .wait))
    }

    @Test func `a report that took long is served while the next is read, which takes a twentieth of the time`() {
        var pace = ReportPace(quick: .milliseconds(40))
        _ = pace.asked(at: instant(0))
        pace.ended(at: instant(500), succeeded: true)
        #expect(pace.asked(at: instant(9_999)) == (false, .answer))
        #expect(pace.asked(at: instant(10_000)) == (true, .answer))
        #expect(pace.asked(at: instant(10_100)) == (false, .answer))
        pace.ended(at: instant(10_020), succeeded: true)
        #expect(pace.asked(at: instant(12_000)) == (true, .wait))
        pace.ended(at: instant(30_000), succeeded: true)
        #expect(pace.asked(at: instant(89_999)) == (false, .answer))
        #expect(pace.asked(at: instant(90_000)) == (true, .answer))
    }

    @Test func `a report is current unless its last read has failed or is late`() {
        var pace = ReportPace(quick: .milliseconds(40))
        _ = pace.asked(at: instant(0))
        #expect(pace.isCurrent(at: instant(900)) && !pace.isCurrent(at: instant(1_000)))
        pace.ended(at: instant(1_100), succeeded: false)
        #expect(!pace.isCurrent(at: instant(1_100)))
        // A failure does not change what is known of the duration.
        #expect(pace.asked(at: instant(30_000)) == (true, .wait))
        pace.ended(at: instant(30_001), succeeded: true)
        #expect(pace.isCurrent(at: instant(90_000)))
    }
}
