import Telemetry
import Testing

@testable import Api
@testable import Jobs

@Suite struct JobCollectorTests {
    /// The transitions of the table `state_machine`, as its migration writes them.
    private func stateMachine() throws -> [(transition: String, from: String)] {
        let sql = try Repository.text("Migrations/0003_transitions.sql")
        return sql.matches(of: /\('(\w+)', ('\w+'|NULL), (?:'\w+'|NULL), '/).map {
            (String($0.output.1), $0.output.2.filter { $0 != "'" })
        }
    }

    private func page(_ families: [MetricFamily]) -> Set<String> {
        Set(
            String(decoding: PrometheusText.page(families), as: UTF8.self).split(separator: "\n").map(String.init)
                .filter { !$0.hasPrefix("#") })
    }

    @Test func `every transition that ends an attempt has an outcome, and no other transition has`() throws {
        let transitions = try stateMachine()
        #expect(transitions.count > 20)
        for transition in transitions {
            let lines = page(
                JobCollector.families(
                    JobCounts(
                        transitions: [TransitionCount(queue: "q", transition: transition.transition, count: 1)])))
            // completed_before_cancel is followed by the transition that ends the attempt; promoted and similar ones
            // run nothing.
            let endsAttempt =
                ["running", "ending"].contains(transition.from)
                && !["cancel_requested", "completed_before_cancel"].contains(transition.transition)
            #expect(lines.contains { $0.hasPrefix("job_attempts_total") } == endsAttempt, "\(transition.transition)")
        }
    }

    @Test func `transitions add up to totals`() {
        let transitions = [
            ("enqueued", 10), ("delayed", 2), ("leased", 9), ("succeeded", 4), ("failed", 1), ("retried_now", 1),
            ("retried_later", 1), ("reclaimed", 1), ("reclaimed_failed", 1), ("cancelled_queued", 1),
            ("cancelled_running", 1),
        ].map { TransitionCount(queue: "q", transition: $0.0, count: Int64($0.1)) }
        let lines = page(
            JobCollector.families(
                JobCounts(transitions: transitions, depths: [QueueDepth(queue: "q", status: .queued, count: 3)]))
                + JobCollector.families([QueueWait(queue: "q", oldestSeconds: 1.5, unrunnable: 7)]))
        let expected: Set = [
            #"job_created_total{queue="q"} 12"#, #"job_completed_total{queue="q"} 4"#,
            #"job_failed_total{queue="q"} 2"#, #"job_cancelled_total{queue="q"} 2"#,
            #"worker_lease_acquired_total{queue="q"} 9"#, #"lease_reclaimed_total{queue="q"} 2"#,
            #"job_attempts_total{queue="q",outcome="retried"} 2"#,
            #"job_attempts_total{queue="q",outcome="lease_expired"} 2"#,
            #"job_queue_depth{queue="q",status="queued"} 3"#, #"job_queue_depth{queue="q",status="failed"} 0"#,
            #"job_oldest_ready_seconds{queue="q"} 1.5"#, #"job_unrunnable{queue="q"} 7"#,
        ]
        #expect(expected.isSubset(of: lines), "\(expected.subtracting(lines))")
    }
}
