import EventLoop
import Glibc
import JSON
import TestKit
import Testing
import Values

/// Jobs that are cancelled while they run.
@Suite struct WorkerCancelTests {
    /// Runs `body` with a worker with these scripts as handlers. Its polls and renewals come too late for these tests.
    private func withWorker(
        _ scripts: [String: String], _ environment: [String: String] = [:],
        _ body: (Deployment, RunningApi, ServiceProcess, ScratchDirectory) async throws -> Void
    ) async throws {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers(scripts, killGraceSeconds: 600)
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let settings = environment.merging(["WORKER_HANDLERS_FILE": handlers]) { $1 }
            let worker = try await deployment.startWorker("worker", settings)
            try await body(deployment, api, worker, scratch)
        }
    }

    private func cancel(_ id: String, _ api: RunningApi) async throws -> JSONValue {
        let answer = try await api.client.request("POST", "/api/jobs/\(id)/cancel")
        #expect(answer.status == 200)
        return try answer.json
    }

    @Test func `a running program is cancelled at once, and may clean up`() async throws {
        let script =
            "trap 'echo cleaned > \"$HERE/trace\"; exit 1' TERM; echo $$ > \"$HERE/pid\"; while :; do sleep 0.02; done"
        try await withWorker(["trap": script]) { _, api, _, scratch in
            let id = try await api.post(["type": "trap"])
            _ = try await waitFor("the program has begun") { scratch.numbers("pid") }
            let start = MonotonicInstant.now()
            // The worker may finish before the response.
            let status = try await cancel(id, api)["status"]
            #expect(status == "ending" || status == "cancelled")
            let job = try await api.wait(for: id, toBe: "cancelled", within: .seconds(10))
            // Long before the next poll of the worker.
            #expect(MonotonicInstant.now() - start < .seconds(3))
            #expect(scratch.text("trace") == "cleaned\n")
            #expect(job["last_error"] == .null)
            #expect(try await cancel(id, api)["status"] == "cancelled")
        }
    }

    @Test func `a program that ignores SIGTERM is killed with its group after the grace of the job`()
        async throws
    {
        let script = """
            trap '' TERM
            sh -c "trap '' TERM; while :; do sleep 0.1; done" &
            echo $$ $! > "$HERE/pids"
            while :; do sleep 0.1; done
            """
        try await withWorker(["stubborn": script]) { _, api, _, scratch in
            let id = try await api.post(["type": "stubborn", "cancel_grace_seconds": 1])
            let pids = try await waitFor("the program has begun") { scratch.numbers("pids") }
            #expect(pids.count == 2)
            let start = MonotonicInstant.now()
            _ = try await cancel(id, api)
            try await api.wait(for: id, toBe: "cancelled", within: .seconds(10))
            #expect(MonotonicInstant.now() - start >= .seconds(1))
            for pid in pids {
                try await waitUntil("process \(pid) is gone") { !ProcessTable.isAlive(Int32(pid)) }
            }
        }
    }

    @Test func `work that finishes after the cancellation counts`() async throws {
        let script = "trap 'echo 42; exit 0' TERM; echo $$ > \"$HERE/pid\"; while :; do sleep 0.02; done"
        try await withWorker(["late": script]) { _, api, _, scratch in
            let id = try await api.post(["type": "late"])
            _ = try await waitFor("the program has begun") { scratch.numbers("pid") }
            _ = try await cancel(id, api)
            #expect(try await api.wait(for: id, toBe: "succeeded")["result"] == 42)
            let refused = try await api.client.request("POST", "/api/jobs/\(id)/cancel")
            #expect(refused.status == 409)
        }
    }

    @Test func `a worker that missed the notification finds the cancellation`() async throws {
        try await withWorker([:]) { deployment, api, _, _ in
            let id = try await api.post(["type": "sleep", "payload": 600])
            try await api.wait(for: id, toBe: "running")
            // As a notification that was lost.
            let uuid = try #require(UUID(id))
            try await deployment.withFixture { try await $0.requestCancel(uuid) }
            try await api.wait(for: id, toBe: "cancelled", within: .seconds(15))
        }
    }

    @Test func `a cancelled job that waits for a slot never starts`() async throws {
        try await withWorker(["note": "echo ran > \"$HERE/ran\""], ["WORKER_CONCURRENCY": "1"]) {
            deployment, api, worker, scratch in
            // Many short jobs make the worker lease ahead of its one slot.
            try await api.post(2_000, of: ["type": "echo"])
            try await waitUntil("short jobs are done") {
                try await deployment.database.count("outcome") == 2_000
            }
            try await api.post(1, of: ["type": "sleep", "payload": 1])
            let ids = try await withThrowingTaskGroup(of: String.self) { tasks in
                for _ in 0..<3 { tasks.addTask { try await api.post(["type": "note"]) } }
                return try await tasks.reduce(into: []) { $0.append($1) }
            }
            for id in ids { _ = try await cancel(id, api) }
            for id in ids { try await api.wait(for: id, toBe: "cancelled") }
            #expect(scratch.text("ran") == nil)
        }
    }

    @Test func `a job whose worker is killed while it is ending is cancelled, and does not run again`() async throws {
        let script = "trap '' TERM; echo $$ > \"$HERE/pid\"; while :; do sleep 0.1; done"
        try await withWorker(["stubborn": script], ["WORKER_LEASE_DURATION_SECONDS": "1"]) {
            deployment, api, worker, scratch in
            let id = try await api.post(["type": "stubborn", "backoff": ["kind": "none"]])
            _ = try await waitFor("the program has begun") { scratch.numbers("pid") }
            #expect(try await cancel(id, api)["status"] == "ending")
            worker.signal(SIGKILL)
            _ = try await worker.waitForExit()
            _ = try await deployment.startReaper()
            let job = try await api.wait(for: id, toBe: "cancelled")
            #expect(job["attempt"] == 1)
        }
    }
}
