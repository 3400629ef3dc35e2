import EventLoop
import Testing

@testable import Service

@Suite struct PaceTests {
    private func pace() -> Pace { Pace(interval: .seconds(60), pauseMin: .seconds(1)) }

    @Test func `a task runs at its interval, never later, and at most a tenth sooner`() {
        var pace = pace()
        #expect(pace.succeeded(dueIn: nil, random: 1) == .seconds(60))
        #expect(pace.succeeded(dueIn: nil, random: 0) == .seconds(54))
    }

    @Test(
        arguments: [(0, 1_000), (500, 1_000), (1_500, 1_500), (59_999, 59_999), (60_000, 60_000), (3_600_000, 60_000)]
            as [(Int64, Int64)])
    func `a task that is due sooner runs sooner, after the shortest pause`(due: Int64, expected: Int64) {
        var pace = pace()
        #expect(pace.succeeded(dueIn: .milliseconds(due), random: 1) == .milliseconds(expected))
    }

    @Test func `the shortest pause is no longer than the interval`() {
        var pace = Pace(interval: .milliseconds(10), pauseMin: .seconds(1))
        #expect(pace.succeeded(dueIn: .zero, random: 1) == .milliseconds(10))
    }

    @Test func `pauses after failures double up to five seconds`() {
        var pace = pace()
        let pauses = (0..<8).map { _ in pace.failed(random: 1) }
        #expect(pauses == [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000].map { .milliseconds($0) })
        #expect(pace.failed(random: 0) == .milliseconds(2_500))
    }

    @Test func `a thousand failures do not overflow`() {
        var pace = pace()
        for _ in 0..<1_000 { _ = pace.failed(random: 1) }
        #expect(pace.failed(random: 1) == Pace.failurePauseMax)
    }

    @Test func `a success ends the row of failures`() {
        var pace = pace()
        for _ in 0..<5 { _ = pace.failed(random: 1) }
        #expect(pace.succeeded(dueIn: nil, random: 1) == .seconds(60))
        #expect(pace.failed(random: 1) == Pace.failurePause)
    }

    @Test func `of a row of failures the first, second, fourth and so on are logged`() {
        var pace = pace()
        let logged = (1...20).filter { _ in
            _ = pace.failed(random: 1)
            return pace.isFailureLogged
        }
        #expect(logged == [1, 2, 4, 8, 16])
    }
}
