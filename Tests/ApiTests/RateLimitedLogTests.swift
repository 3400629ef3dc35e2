import EventLoop
import Postgres
import Telemetry
import Testing
import Values

@testable import Api

@Suite struct RateLimitedLogTests {
    @Test func `the first error is logged at once, later ones at intervals with their number`() {
        let lines = CollectedLog()
        let rateLimitedLog = RateLimitedLog(logger: Logger(component: "test", level: .info, sink: lines))
        let error = PostgresError.connectionFailed(reason: "no route to host")
        let start = MonotonicInstant.now()
        for number in 0..<100 { rateLimitedLog.note(error, at: start + .milliseconds(100) * number) }
        #expect(lines.lines().count == 2)
        #expect(lines.lines().allSatisfy { $0.contains("no route to host") })
        #expect(lines.lines().last?.contains(#""suppressed":49"#) == true)
    }
}
