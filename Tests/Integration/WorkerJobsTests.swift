import EventLoop
import Glibc
import JSON
import TestKit
import Testing

/// Jobs on their way through the api and a worker.
@Suite struct WorkerJobsTests {
    @Test func `a waiting worker is notified of a job long before its next poll`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startWorker("asleep", ["WORKER_POLL_INTERVAL_SECONDS": "30"])
            try await waitUntil("the worker sleeps until it is notified") {
                try await deployment.database.integer("SELECT count(*) FROM worker WHERE waiting") == 1
            }
            for number in 0..<5 {
                let id = try await api.post(["type": "echo", "payload": .number(JSONNumber(number))])
                try await api.wait(for: id, toBe: "succeeded", within: .seconds(5))
            }
        }
    }

    @Test func `a worker goes on with its queues when they are removed and created again`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startWorker(
                "named", ["WORKER_QUEUES": "a,b", "WORKER_POLL_INTERVAL_SECONDS": "2"])
            for _ in 0..<3 {
                for queue: JSONValue in ["a", "b"] {
                    let id = try await api.post(["type": "echo", "queue": queue])
                    try await api.wait(for: id, toBe: "succeeded", within: .seconds(20))
                }
                try await deployment.sql("TRUNCATE job, outcome, transition_delta, transition_total")
                try await deployment.sql("TRUNCATE queue_transition_total")
                for queue in ["a", "b"] {
                    #expect(try await api.client.request("DELETE", "/api/queues/\(queue)").status == 204)
                }
            }
        }
    }

    @Test func `a worker that was considered dead is notified again under its new id`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let worker = try await deployment.startWorker("returning", ["WORKER_POLL_INTERVAL_SECONDS": "2"])
            // As the reaper does with a worker without heartbeats.
            try await deployment.sql("UPDATE worker SET deregistered_at = clock_timestamp(), waiting = false")
            try await worker.waitForLine(containing: "has registered again", within: .seconds(20))
            try await waitUntil("it is registered as waiting again") {
                try await deployment.database.integer(
                    "SELECT count(*) FROM worker WHERE waiting AND deregistered_at IS NULL") == 1
            }
            let id = try await api.post(["type": "echo"])
            try await api.wait(for: id, toBe: "succeeded")
        }
    }

    @Test func `a job of an unknown type waits for a worker with its handler, without spending an attempt`()
        async throws
    {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers(["rare": "echo \"$JOBQUEUE_ATTEMPT\""])
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let first = try await deployment.startWorker("first")
            let id = try await api.post(["type": "rare"])
            // The worker leases it once at most, and gives it back.
            let job = try await api.wait(for: id, toBe: "queued")
            #expect(job["attempt"] == 0)
            let reasons = try await api.client.get("/api/jobs/\(id)/why").json["reasons"]?.array ?? []
            #expect(reasons.map { $0["code"]?.string } == ["no_worker_for_type"])
            let types = try await api.client.get("/api/workers").json["workers"]?[0]?["types"]
            #expect(types == ["echo", "fail", "sleep"])
            // Later leases skip the job, and run others.
            let other = try await api.post(["type": "echo"])
            try await api.wait(for: other, toBe: "succeeded")
            #expect(try await api.job(id)["status"] == "queued")

            _ = try await deployment.startWorker("second", ["WORKER_HANDLERS_FILE": handlers])
            let done = try await api.wait(for: id, toBe: "succeeded")
            #expect(done["attempt"] == 1)
            #expect(done["result"] == 1)
            #expect(done["worker"] == "second")
            #expect(first.lines.count { $0.contains("no handler for this job type") } <= 1)
        }
    }

    @Test(arguments: [
        #"{"n":12345678901234567890,"x":1.10,"e":1e400,"u":"\u0000","k":{"\u00e9":1,"e\u0301":2}}"#,
        "{\"n\":-0.0,\"composed\":{\"\u{e9}\":1,\"e\u{301}\":2},\"again\":1,\"again\":2,\"s\":\"\u{2028}\u{1F600}\"}",
        "[ 1.0 ,\t\"a\\/b\" , 1E+2 ]",
    ])
    func `a payload reaches a handler and returns byte for byte`(payload: String) async throws {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers(["copy": "tee \"$HERE/copy\""])
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startWorker("worker", ["WORKER_HANDLERS_FILE": handlers])
            let id = try await api.createJob(#"{"type":"copy","payload":\#(payload)}"#)
            try await api.wait(for: id, toBe: "succeeded")

            #expect(TextFile.bytes(of: scratch.file("copy")) == Array(payload.utf8))
            let shown = try await api.client.get("/api/jobs/\(id)").body
            var reader = JSONReader(shown)
            try reader.beginObject()
            var found: [String: [UInt8]] = [:]
            while let key = try reader.nextMember() {
                found[key.text] = try Array(shown[reader.skipValue()])
            }
            #expect(found["payload"] == Array(payload.utf8))
            #expect(found["result"] == Array(payload.utf8))
        }
    }

    @Test func `thousands of jobs leave no open descriptor, no zombie and no child`() async throws {
        let scratch = try ScratchDirectory()
        let handlers = try scratch.writeHandlers(["program": "cat"])
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let worker = try await deployment.startWorker("worker", ["WORKER_HANDLERS_FILE": handlers])

            func run(echoes: Int, programs: Int) async throws {
                let before = try await deployment.database.count("outcome")
                try await api.post(echoes, of: ["type": "echo", "payload": ["some": "thing"]])
                try await api.post(programs, of: ["type": "program", "payload": 1])
                try await waitUntil("all jobs have ended", within: .seconds(60)) {
                    try await deployment.database.count("outcome") == before
                        + echoes + programs
                }
            }
            // Connections to PostgreSQL are opened on demand. One more socket leads to the process guard.
            try await run(echoes: 1_000, programs: 50)
            var before = ProcessTable.descriptors(of: worker.pid)
            let sockets = before.removeValue(forKey: "socket")
            #expect(try #require(sockets) <= 6)

            try await run(echoes: 10_000, programs: 300)
            try await waitUntil("no descriptor is left over") {
                var after = ProcessTable.descriptors(of: worker.pid)
                return after.removeValue(forKey: "socket").map { $0 <= 6 } == true && after == before
            }
            #expect(ProcessTable.children(of: worker.pid) == [])
            #expect(
                try await deployment.database.integer("SELECT count(*) FROM outcome WHERE status <> 'succeeded'") == 0)
        }
    }
}
