import Telemetry
import Testing

@testable import Api
@testable import Jobs

@Suite struct JobFamiliesTests {
    /// The steps of the table `lifecycle`, as its migration writes them.
    private func lifecycle() throws -> [(step: String, from: String)] {
        let sql = try Repository.text("Migrations/0003_steps.sql")
        return sql.matches(of: /\('(\w+)', ('\w+'|NULL), (?:'\w+'|NULL), '/).map {
            (String($0.output.1), $0.output.2.filter { $0 != "'" })
        }
    }

    private func page(_ families: [MetricFamily]) -> Set<String> {
        Set(
            String(decoding: PrometheusText.page(families), as: UTF8.self).split(separator: "\n").map(String.init)
                .filter { !$0.hasPrefix("#") })
    }

    @Test func `every step that ends an attempt has an outcome, and no other step has`() throws {
        let steps = try lifecycle()
        #expect(steps.count > 20)
        for step in steps {
            let lines = page(
                JobFamilies.families(
                    steps: [StepCount(queue: "q", step: step.step, count: 1)], depths: [], oldest: []))
            // stop_outrun is followed by the step that ends the attempt; promoted and the like run nothing.
            let endsAttempt =
                ["running", "ending"].contains(step.from) && !["stop_requested", "stop_outrun"].contains(step.step)
            #expect(lines.contains { $0.hasPrefix("job_attempts_total") } == endsAttempt, "\(step.step)")
        }
    }

    @Test func `steps add up to totals`() {
        let steps = [
            ("enqueued", 10), ("delayed", 2), ("leased", 9), ("succeeded", 4), ("failed", 1), ("retried_now", 1),
            ("retried_later", 1), ("reclaimed", 1), ("reclaimed_failed", 1), ("cancelled_queued", 1), ("stopped", 1),
        ].map { StepCount(queue: "q", step: $0.0, count: Int64($0.1)) }
        let lines = page(
            JobFamilies.families(
                steps: steps, depths: [QueueDepth(queue: "q", status: .queued, count: 3)],
                oldest: [OldestReady(queue: "q", seconds: 1.5)]))
        let expected: Set = [
            #"job_created_total{queue="q"} 12"#, #"job_completed_total{queue="q"} 4"#,
            #"job_failed_total{queue="q"} 2"#, #"job_cancelled_total{queue="q"} 2"#,
            #"worker_lease_acquired_total{queue="q"} 9"#, #"lease_reclaimed_total{queue="q"} 2"#,
            #"job_attempts_total{queue="q",outcome="retried"} 2"#,
            #"job_attempts_total{queue="q",outcome="lease_expired"} 2"#,
            #"job_queue_depth{queue="q",status="queued"} 3"#, #"job_queue_depth{queue="q",status="failed"} 0"#,
            #"job_oldest_ready_seconds{queue="q"} 1.5"#,
        ]
        #expect(expected.isSubset(of: lines), "\(expected.subtracting(lines))")
    }
}
