import EventLoop
import Glibc
import JSON
import TestKit
import Testing

/// The shutdown of a worker.
@Suite struct WorkerStopTests {
    @Test func `after SIGTERM a running job finishes and nothing more is leased`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let worker = try await deployment.startWorker()
            let running = try await api.post(["type": "sleep", "payload": 3])
            try await api.wait(for: running, toBe: "running")

            worker.signal(SIGTERM)
            try await worker.waitForLine(containing: "nothing more is leased")
            let late = try await api.post(["type": "echo", "payload": 1])

            #expect(try await worker.waitForExit(within: .seconds(20)) == .code(0))
            #expect(try await api.job(running)["status"] == "succeeded")
            #expect(try await api.job(late)["status"] == "queued")
            #expect(try await api.job(late)["attempt"] == 0)
        }
    }

    @Test func `a job that exceeds the shutdown grace is released without a spent attempt, and its processes end`()
        async throws
    {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers([
            "hang": "sleep 1000 & echo $$ $! > \"$HERE/pids\"; wait"
        ])
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let worker = try await deployment.startWorker(
                "short", ["WORKER_HANDLERS_FILE": handlers, "WORKER_SHUTDOWN_GRACE_SECONDS": "0.5"])
            let id = try await api.post(["type": "hang"])
            let pids = try await waitFor("the handler has begun") { scratch.numbers("pids") }
            #expect(pids.count == 2)

            worker.signal(SIGTERM)
            #expect(try await worker.waitForExit(within: .seconds(20)) == .code(0))

            let job = try await api.job(id)
            #expect(job["status"] == "queued")
            #expect(job["attempt"] == 0)
            #expect(job["last_error"] == .null)
            for pid in pids { #expect(!ProcessTable.isAlive(Int32(pid))) }
        }
    }

    @Test func `a second SIGTERM ends the wait`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let worker = try await deployment.startWorker()
            let id = try await api.post(["type": "sleep", "payload": 600])
            try await api.wait(for: id, toBe: "running")

            worker.signal(SIGTERM)
            try await worker.waitForLine(containing: "nothing more is leased")
            #expect(try await api.job(id)["status"] == "running")
            worker.signal(SIGTERM)

            #expect(try await worker.waitForExit(within: .seconds(20)) == .code(0))
            #expect(try await api.job(id)["status"] == "queued")
            #expect(try await api.job(id)["attempt"] == 0)
        }
    }

    @Test func `a worker that waits for PostgreSQL stops at once`() async throws {
        try await withServices { services in
            let worker = try await services.start(
                "jobqueue-worker", environment: ["DATABASE_URL": "postgresql://127.0.0.1:\(FreePort.take())/none"])
            try await worker.waitForLine(containing: "waiting for the schema", within: .seconds(30))
            worker.signal(SIGTERM)
            #expect(try await worker.waitForExit(within: .seconds(20)) == .code(0))
        }
    }
}
