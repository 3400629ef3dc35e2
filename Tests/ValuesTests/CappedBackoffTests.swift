import Testing
import Values

@Suite struct CappedBackoffTests {
    private let backoff = CappedBackoff(first: .milliseconds(50), cap: .seconds(5))

    @Test func `pauses double up to the cap`() {
        var backoff = backoff
        let pauses = (0..<9).map { _ in backoff.failed(random: 1) }
        #expect(pauses == [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000].map { .milliseconds($0) })
    }

    @Test func `pauses stay within their bounds after any number of failures`() {
        for failures in 1...100 {
            for random in [0, 0.5, 1] {
                let pause = backoff.pause(afterFailures: failures, random: random)
                #expect(pause >= .milliseconds(25) && pause <= .seconds(5))
            }
        }
        #expect(backoff.pause(afterFailures: .max, random: 1) == .seconds(5))
    }

    @Test func `jitter chooses linearly within its range`() {
        let backoff = CappedBackoff(first: .seconds(1), cap: .seconds(60), jitter: 0.9...1.1)
        #expect(backoff.pause(afterFailures: 1, random: 0) == .milliseconds(900))
        #expect(backoff.pause(afterFailures: 1, random: 0.5) == .seconds(1))
        let longest = backoff.pause(afterFailures: 1, random: 1)
        #expect(longest > .milliseconds(1_099) && longest < .milliseconds(1_101))
    }

    @Test func `a success ends the row of failures`() {
        var backoff = backoff
        for _ in 0..<5 { _ = backoff.failed(random: 1) }
        backoff.succeeded()
        #expect(backoff.failures == 0)
        #expect(backoff.failed(random: 1) == .milliseconds(50))
    }
}
