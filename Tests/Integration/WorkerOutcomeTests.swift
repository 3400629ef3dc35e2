import EventLoop
import Glibc
import JSON
import TestKit
import Testing

/// Results of attempts, from the program to the job in the api. Only real attempts are counted.
@Suite struct WorkerOutcomeTests {
    private func withWorker(
        _ scripts: [String: String], _ environment: [String: String] = [:],
        _ body: (Deployment, RunningApi, ServiceProcess, ScratchDirectory) async throws -> Void
    ) async throws {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers(scripts)
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let settings = environment.merging(["WORKER_HANDLERS_FILE": handlers]) { $1 }
            try await body(deployment, api, try await deployment.startWorker("worker", settings), scratch)
        }
    }

    @Test func `snoozes spend no attempt, and the only attempt succeeds`() async throws {
        let script = """
            echo x >> "$HERE/runs"
            if [ "$(wc -l < "$HERE/runs")" -lt 4 ]; then echo '{"snooze": 0}' >&3; exit 79; fi
            echo "$JOBQUEUE_ATTEMPT"
            """
        try await withWorker(["later": script]) { _, api, _, scratch in
            let id = try await api.post(["type": "later", "max_attempts": 1])
            let job = try await api.wait(for: id, toBe: "succeeded")
            #expect(job["attempt"] == 1 && job["result"] == 1 && job["last_error"] == .null)
            #expect(scratch.text("runs") == "x\nx\nx\nx\n")
        }
    }

    @Test func `a snoozed job waits as if it had never run`() async throws {
        try await withWorker(["later": "echo '{\"snooze\": 600}' >&3; exit 79"]) { _, api, _, _ in
            let id = try await api.post(["type": "later"])
            let job = try await api.wait(for: id, toBe: "scheduled")
            #expect(job["attempt"] == 0 && job["worker"] == .null)
        }
    }

    @Test func `a permanently failed job is not retried`() async throws {
        try await withWorker(["bad": "echo no such address >&2; exit 65"]) { _, api, _, _ in
            let id = try await api.post(["type": "bad", "max_attempts": 9])
            let job = try await api.wait(for: id, toBe: "failed")
            #expect(job["attempt"] == 1)
            #expect(job["last_error"]?["message"] == "exit code 65: no such address")
        }
    }

    @Test func `attempts that end with their worker are spent, and the last one fails the job`() async throws {
        let script = "echo $$ > \"$HERE/$JOBQUEUE_ATTEMPT\"; exec sleep 1000"
        let lease = ["WORKER_LEASE_DURATION_SECONDS": "1"]
        try await withWorker(["crash": script], lease) { deployment, api, first, scratch in
            _ = try await deployment.startReaper()
            let id = try await api.post(["type": "crash", "max_attempts": 2, "backoff": ["kind": "none"]])
            _ = try await waitFor("the first attempt has begun") { scratch.numbers("1") }
            first.signal(SIGKILL)
            let handlers = ["WORKER_HANDLERS_FILE": scratch.file("handlers.json")].merging(lease) { $1 }
            let second = try await deployment.startWorker("second", handlers)
            _ = try await waitFor("the second attempt has begun") { scratch.numbers("2") }
            second.signal(SIGKILL)
            let job = try await api.wait(for: id, toBe: "failed")
            #expect(job["attempt"] == 2)
            #expect(job["last_error"]?["kind"] == "lease_expired")
        }
    }

    @Test func `a job shows its progress, and at the end its last report`() async throws {
        let script = """
            echo '{"progress": 30, "message": "begun"}' >&3
            while [ ! -e "$HERE/go" ]; do sleep 0.05; done
            echo '{"progress": 100}' >&3
            """
        try await withWorker(["slow": script]) { _, api, _, scratch in
            let id = try await api.post(["type": "slow"])
            try await waitUntil("the progress is shown") { try await api.job(id)["progress"]?["percent"] == 30 }
            #expect(try await api.job(id)["progress"]?["message"] == "begun")
            try scratch.write("go", "")
            let job = try await api.wait(for: id, toBe: "succeeded")
            #expect(job["progress"]?["percent"] == 100 && job["progress"]?["message"] == .null)
            #expect(job["result"] == .null)
        }
    }
}
