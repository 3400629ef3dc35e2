import TestKit
import Testing

@testable import Api

@Suite struct MetricsPageTests {
    @Test func `the page stays below 1 MiB when all queues have all series`() async throws {
        try await withApi { api, fixture in
            try await fixture.sql(
                "INSERT INTO queue (name) SELECT 'customer-queue-number-' || n FROM generate_series(1, 3000) n")
            try await fixture.sql(
                """
                INSERT INTO queue_transition_total (queue_id, transition, n)
                SELECT q.id, t.transition, 123456 FROM queue q, state_machine t WHERE q.in_metrics
                UNION ALL
                SELECT 0, t.transition, 123456 FROM state_machine t
                """)
            try await fixture.sql(
                """
                INSERT INTO deregistered_counter (series, value)
                SELECT format('%s_bucket{queue="%s",le="%s"}', m.name, q.name, b.le), 123456
                FROM queue q, unnest(ARRAY['job_wait_seconds', 'job_duration_seconds']) AS m (name),
                     unnest(ARRAY['0.001', '0.005', '0.01', '0.05', '0.1', '0.5', '1', '5', '10', '30', '60', '300',
                                  '900', '3600', '21600', '+Inf']) AS b (le)
                WHERE q.in_metrics
                """)
            // On a slow machine, the first pages do not wait for the report.
            let page = try await waitFor("a page with the report") {
                let page = try await api.client.get("/metrics")
                return page.text.contains("job_created_total{") ? page : nil
            }
            let names = Set(page.text.matches(of: /job_created_total{queue="([^"]+)"}/).map { String($0.output.1) })
            #expect(names.count > 150 && names.contains("other") && names.contains("customer-queue-number-1"))
            #expect(page.text.contains(#"job_wait_seconds_bucket{queue="customer-queue-number-1",le="21600"}"#))
            #expect(page.text.utf8.count < 1_048_576, "\(page.text.utf8.count)")
        }
    }

    @Test func `a slow report is no outage, and delays nobody`() async throws {
        try await withApi { api, fixture in
            _ = try await api.createJob()
            let clock = ContinuousClock()
            try await fixture.holding("LOCK TABLE queue_transition_total IN ACCESS EXCLUSIVE MODE") {
                let page = try await api.client.get("/metrics")
                #expect(page.text.contains("\njobqueue_database_up 1\n"))
                #expect(page.text.contains("\n# TYPE job_created_total counter\n"))
                #expect(!page.text.contains("\njob_created_total{"))
                let began = clock.now
                _ = try await api.createJob()
                #expect(try await api.stranger.get("/ready").status == 200)
                #expect(clock.now - began < .seconds(1))
            }
        }
    }

    @Test func `while a report is late, the previous one is served`() async throws {
        try await withApi { api, fixture in
            _ = try await api.createJob()
            let line = #"job_created_total{queue="default"} 1"#
            #expect(try await api.client.get("/metrics").text.contains(line))
            try await fixture.holding("LOCK TABLE queue_transition_total IN ACCESS EXCLUSIVE MODE") {
                let age = "\njobqueue_report_age_seconds{report=\"counts\"} "
                try await waitUntil("a report is late") {
                    let page = try await api.client.get("/metrics").text
                    let seconds = page.rest(after: age).prefix { $0 != "\n" }
                    return (Double(seconds) ?? 0) > 1.5
                }
                _ = try await api.createJob()
                let page = try await api.client.get("/metrics")
                #expect(page.text.contains("\njobqueue_database_up 1\n") && page.text.contains(line))
                #expect(page.text.contains(#"jobqueue_report_age_seconds{report="counts"}"#))
                #expect(page.text.contains(#"jobqueue_report_age_seconds{report="waits"}"#))
            }
        }
    }
}

extension String {
    /// What follows the first occurrence of a text; empty if there is none.
    fileprivate func rest(after text: String) -> Substring {
        ranges(of: text).first.map { self[$0.upperBound...] } ?? ""
    }
}
