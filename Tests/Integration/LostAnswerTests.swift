import EventLoop
import JSON
import Jobs
import TestKit
import Testing

/// A worker whose connection is cut between the commit of a lease and its answer.
@Suite struct LostAnswerTests {
    @Test func `jobs whose lease was committed without an answer are released, and run without a spent attempt`()
        async throws
    {
        let server = try PostgresServer.shared
        let proxy = try await TestLoop.run { try FaultyProxy(to: .loopback(port: server.port)) }
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let url = server.tcpURL(database: deployment.database.name, port: proxy.port)
            let worker = try await deployment.startWorker("worker", ["DATABASE_URL": url])
            // What polls and heartbeats get passes; the payloads of the lease do not.
            proxy.fault = .cutAnswers(afterBytes: 20_000)
            let payload = JSONValue.string(String(repeating: "x", count: 15_000))
            try await api.post(3, of: ["type": "echo", "payload": payload, "max_attempts": 1])
            try await waitUntil("they are leased, and nobody knows") {
                try await deployment.database.count("lease") == 3
            }
            proxy.fault = .none
            try await worker.waitForLine(containing: "leases whose answer was lost were released")
            let ended = "SELECT count(*) FROM outcome WHERE status = 'succeeded' AND attempt = 1"
            try await waitUntil("they have succeeded") { try await deployment.database.integer(ended) == 3 }
        }
        await TestLoop.run { proxy.close() }
    }

    /// The regular look, without a lost answer that the worker knows of.
    @Test func `a lease that its worker does not know of is released`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let worker = try await deployment.startWorker("worker", ["WORKER_POLL_INTERVAL_SECONDS": "60"])
            try await api.post(1, of: ["type": "echo"])
            try await waitUntil("it has ended") { try await deployment.database.count("outcome") == 1 }
            let identity = try #require(try await deployment.texts("SELECT id::text FROM worker").first)
            try await deployment.withFixture { fixture in
                try await fixture.enqueue(1) { $0.type = "echo" }
                // The insertion notifies nobody, so the worker does not lease it before.
                #expect(try await fixture.lease(1, worker: Int64(identity) ?? 0, seconds: 300).count == 1)
            }
            try await worker.waitForLine(containing: "leases whose answer was lost were released", within: .seconds(90))
            try await waitUntil("it has ended") { try await deployment.database.count("outcome") == 2 }
        }
    }

    /// A server that hangs, while another host of the URL has taken its place: nothing closes the connections.
    @Test func `a worker leaves a silent server before it is considered dead, and runs jobs again`() async throws {
        let server = try PostgresServer.shared
        let proxy = try await TestLoop.run { try FaultyProxy(to: .loopback(port: server.port)) }
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startReaper()
            let hosts = "127.0.0.1:\(proxy.port),127.0.0.1:\(server.port)"
            let url = "postgresql://postgres@\(hosts)/\(deployment.database.name)?sslmode=disable"
            let worker = try await deployment.startWorker("worker", ["DATABASE_URL": url])
            let first = try await api.post(["type": "echo"])
            try await api.wait(for: first, toBe: "succeeded")
            proxy.fault = .silence
            let second = try await api.post(["type": "echo"])
            try await waitUntil("the job has run", within: .seconds(60)) {
                try await api.job(second)["status"] == "succeeded"
            }
            // The time in which the reaper would find it dead.
            try await Task.sleep(for: .seconds(5))
            #expect(!worker.lines.contains { $0.contains("considered dead") })
            let workers = try await deployment.database.integer("SELECT count(*) FROM worker")
            #expect(workers == 1)
        }
        await TestLoop.run { proxy.close() }
    }
}
