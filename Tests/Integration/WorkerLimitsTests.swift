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
            // A late start is followed sooner by the next, and never by more than half the time.
            #expect(shortest >= 12_500)
        }
    }

    // MARK: Wake-ups. With polls alone each of these would take minutes.

    private static let rarePolls = ["WORKER_POLL_INTERVAL_SECONDS": "60"]

    private func setLimit(_ settings: String, _ api: RunningApi) async throws {
        let answer = try await api.client.request("PUT", "/api/queues/default", body: settings)
        #expect(answer.status == 200, "\(answer.text)")
    }

    private func waitUntilDone(_ deployment: Deployment, _ count: Int) async throws {
        try await waitUntil("\(count) jobs have succeeded", within: .seconds(20)) {
            try await deployment.database.integer("SELECT count(*) FROM outcome WHERE status = 'succeeded'") == count
        }
    }

    @Test(arguments: [("1, NULL", 60), ("7, NULL", 200), ("NULL, 1", 100)])
    func `the end of a job lets the next one of its queue start at once`(limits: String, jobs: Int) async throws {
        try await Deployment.use { deployment in
            try await deployment.sql(
                "SELECT configure_queue('default', \(limits), NULL, NULL, NULL, NULL, NULL, NULL)")
            let api = try await deployment.startApi()
            for number in 0..<2 { _ = try await deployment.startWorker("worker \(number)", Self.rarePolls) }
            try await api.post(jobs, of: ["type": "echo", "concurrency_key": "a"])
            try await waitUntilDone(deployment, jobs)
        }
    }

    @Test func `an attempt that is retried at once starts at once`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startWorker("worker", Self.rarePolls)
            try await api.post(1, of: ["type": "fail", "max_attempts": 10, "backoff": ["kind": "none"]])
            try await waitUntil("it has failed", within: .seconds(20)) {
                try await deployment.database.integer("SELECT count(*) FROM outcome WHERE attempt = 10") == 1
            }
        }
    }

    @Test func `a worker that does not lease leaves a free slot to another one`() async throws {
        try await Deployment.use { deployment in
            try await deployment.sql("SELECT configure_queue('limited', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL)")
            let api = try await deployment.startApi()
            let first = try await deployment.startWorker("first", Self.rarePolls)
            try await api.post(1, of: ["type": "sleep", "payload": 3, "queue": "limited"])
            try await waitUntil("it runs") { try await deployment.database.count("lease") == 1 }
            _ = try await deployment.startWorker("second", Self.rarePolls)
            try await api.post(3, of: ["type": "echo", "queue": "limited"])
            // It ends its job, and leases no other.
            first.signal(SIGTERM)
            try await waitUntilDone(deployment, 4)
        }
    }

    @Test func `a raised limit lets jobs start at once`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            try await setLimit(#"{"max_running":1}"#, api)
            _ = try await deployment.startWorker("worker", Self.rarePolls)
            try await api.post(5, of: ["type": "sleep", "payload": 60])
            try await waitUntil("one runs") { try await deployment.database.count("lease") == 1 }
            try await setLimit(#"{"max_running":4}"#, api)
            try await waitUntil("four run") { try await deployment.database.count("lease") == 4 }
            try await setLimit("{}", api)
            try await waitUntil("all run") { try await deployment.database.count("lease") == 5 }
        }
    }

    @Test func `a limit that is set while jobs run holds when they end, and no slot stays idle`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startWorker("worker", Self.rarePolls)
            try await api.post(4, of: ["type": "sleep", "payload": 2])
            // On a slow machine some end before all run; what follows holds then too.
            try await waitUntil("four were started") {
                try await deployment.database.integer(
                    "SELECT (SELECT count(*) FROM lease) + (SELECT count(*) FROM outcome)") == 4
            }
            try await setLimit(#"{"max_running":2}"#, api)
            try await api.post(20, of: ["type": "echo"])
            try await waitUntilDone(deployment, 24)
        }
    }
}
