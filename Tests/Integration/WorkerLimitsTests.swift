import EventLoop
import Glibc
import JSON
import Postgres
import TestKit
import Testing

/// Limits of queues, with several worker processes.
@Suite struct WorkerLimitsTests {
    /// The maximum number of concurrent attempts, in total or of one concurrency key, from the recorded starts and ends
    /// of their leases.
    private func mostAtOnce(_ deployment: Deployment, by group: String) async throws -> Int {
        try await deployment.database.integer(
            """
            SELECT max(running)::bigint FROM (
                SELECT sum(change) OVER (PARTITION BY e.key ORDER BY e.at, e.change) AS running
                FROM (SELECT \(group) AS key, started_at AS at, 1 AS change FROM outcome o JOIN job j USING (id)
                      UNION ALL
                      SELECT \(group), finished_at, -1 FROM outcome o JOIN job j USING (id)
                      UNION ALL
                      SELECT \(group), started_at, 1 FROM attempt_error o JOIN job j USING (id)
                      UNION ALL
                      SELECT \(group), failed_at, -1 FROM attempt_error o JOIN job j USING (id)) e) s
            """)
    }

    @Test func `three workers respect the limits of a queue, and jobs of a killed one count until reclaimed`()
        async throws
    {
        try await Deployment.use { deployment in
            try await deployment.sql(
                "SELECT configure_queue('default', 4, 2, NULL, NULL, NULL, NULL, NULL, NULL)")
            let api = try await deployment.startApi()
            _ = try await deployment.startReaper()
            var workers: [ServiceProcess] = []
            for number in 0..<3 {
                workers.append(
                    try await deployment.startWorker("worker \(number)", ["WORKER_LEASE_DURATION_SECONDS": "2"]))
            }
            for key in ["a", "b", "c"] {
                let job = try JSONValue(
                    parsing: Array(#"{"type":"sleep","payload":0.03,"concurrency_key":"\#(key)"}"#.utf8))
                try await api.post(20, of: job)
            }
            try await waitUntil("some have run") {
                try await deployment.database.count("outcome") > 5
            }
            workers[0].signal(SIGKILL)
            try await waitUntil("all have run", within: .seconds(30)) {
                try await deployment.database.integer("SELECT count(*) FROM outcome WHERE status = 'succeeded'") == 60
            }
            #expect(try await mostAtOnce(deployment, by: "0") <= 4)
            #expect(try await mostAtOnce(deployment, by: "j.concurrency_key") <= 2)
        }
    }

    @Test func `three workers share the rate of a queue, and start one job after the other`() async throws {
        try await Deployment.use { deployment in
            try await deployment.sql(
                "SELECT configure_queue('default', NULL, NULL, 40, 1, 1, NULL, NULL, NULL)")
            let api = try await deployment.startApi()
            for number in 0..<3 {
                _ = try await deployment.startWorker("worker \(number)", ["WORKER_POLL_INTERVAL_SECONDS": "10"])
            }
            try await api.post(40, of: ["type": "echo"])
            // With polls alone this would take minutes.
            try await waitUntil("all have run", within: .seconds(20)) {
                try await deployment.database.integer("SELECT count(*) FROM outcome WHERE status = 'succeeded'") == 40
            }
            let shortest = try await deployment.database.integer(
                """
                SELECT (1e6 * extract(epoch FROM min(gap)))::bigint
                FROM (SELECT started_at - lag(started_at) OVER (ORDER BY started_at) AS gap FROM outcome) g
                """)
            #expect(shortest >= 25_000)
        }
    }
}
