import EventLoop
import Testing
import Values

@testable import Worker

@Suite struct LeaseReconcilerTests {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000)

    /// The seconds after the start at which it looks, if it is asked each second.
    private func looks(_ reconciler: LeaseReconciler, seconds: ClosedRange<Int>) -> [Int] {
        var reconciler = reconciler
        return seconds.filter { reconciler.isDue(at: start + .seconds($0)) }
    }

    @Test func `it looks regularly`() {
        #expect(looks(LeaseReconciler(now: start), seconds: 0...100) == [30, 60, 90])
    }

    @Test func `after a lost answer it looks at once and twice more`() {
        var reconciler = LeaseReconciler(now: start)
        reconciler.answerWasLost(at: start + .seconds(5))
        #expect(reconciler.next == start + .seconds(5))
        #expect(looks(reconciler, seconds: 5...70) == [5, 7, 15, 35, 65])
    }

    @Test func `looks that were missed are made up by one`() {
        var reconciler = LeaseReconciler(now: start)
        reconciler.answerWasLost(at: start)
        #expect(looks(reconciler, seconds: 50...85) == [50, 80])
    }
}
