import EventLoop
import JSON
import Postgres
import TestKit
import Testing

/// Pausing and resuming real workers through real apis.
@Suite struct WorkerPauseTests {
    private func change(
        _ api: RunningApi, _ what: String, _ body: String, status: Int = 200
    ) async throws -> JSONValue {
        let response = try await api.client.post("/api/worker/\(what)", body)
        try #require(response.status == status, "\(response.text)")
        return try JSONValue(parsing: response.body)
    }

    @Test func `twenty workers acknowledge within the call, despite cut connections and a killed api`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let doomed = try await deployment.startApi()
            for number in 0..<20 {
                _ = try await deployment.startWorker("worker \(number)", ["DATABASE_POOL_SIZE": "3"], waiting: false)
            }
            try await waitUntil("all have joined", within: .seconds(60)) {
                try await deployment.database.integer("SELECT count(*) FROM worker WHERE deregistered_at IS NULL") == 20
            }
            try await api.post(3_000, of: ["type": "sleep", "payload": 0])
            let cutting = TestLoop.shared.spawn {
                while !Task.isCancelled {
                    _ = try? await deployment.sql(
                        """
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE application_name = 'jobqueue-worker listening' AND random() < 0.3
                        """)
                    try? await Task.sleep(for: .milliseconds(20))
                }
            }
            defer { cutting.cancel() }
            for round in 1...3 {
                let paused = try await change(
                    api, "pause", #"{"reason":"test","updated_by":"ada","wait_seconds":30}"#)
                #expect(paused["acknowledged"] == true)
                #expect(paused["workers"]?.array?.count == 20)
                let before = try await deployment.database.count("ready")
                try await api.post(10, of: ["type": "echo"])
                try await Task.sleep(for: .milliseconds(150))
                #expect(try await deployment.database.count("ready") >= before + 10)
                let late = try await deployment.database.integer(
                    """
                    SELECT count(*) FROM (SELECT started_at FROM outcome UNION ALL SELECT leased_at FROM lease) l
                    WHERE started_at > (SELECT updated_at FROM pause_state WHERE scope = 'all')
                    """)
                #expect(late == 0)
                if round == 1 { doomed.service.signal(Signals.kill) }
                _ = try await change(api, "resume", #"{"reason":"test","updated_by":"ada","wait_seconds":30}"#)
            }
            try await waitUntil("all jobs have ended", within: .seconds(60)) {
                try await deployment.database.integer("SELECT count(*) FROM outcome WHERE status = 'succeeded'")
                    == 3_030
            }
            cutting.cancel()
            let (status, verified) = try await verify(deployment)
            let lines = verified.split(separator: "\n")
            #expect(status == .code(0) && lines.count == 2 && lines[0] == "6 changes: the chain is complete")
            let head = String(lines[1].dropFirst("head ".count))
            #expect(try await verify(deployment, "--head", head) == (.code(0), verified))
            try await deployment.withFixture { try await $0.permitHistoryChanges() }
            try await deployment.sql("UPDATE pause_history SET updated_by = 'eve' WHERE version = 4")
            let forged = try await verify(deployment)
            #expect(forged.0 == .code(2))
            #expect(forged.1.contains("version 4: its hash is not that of its fields"))

            // The end is removed, with the versions of the scopes.
            try await deployment.sql("DELETE FROM pause_history WHERE version >= 4")
            try await deployment.sql("UPDATE pause_state SET version = 3")
            #expect(try await verify(deployment).0 == .code(0))
            let cut = try await verify(deployment, "--head", head)
            #expect(cut.0 == .code(2) && cut.1.contains("version 6: it was kept as the head, but the history lacks it"))
            #expect(try await verify(deployment, "--head", "6:xyz").0 == .code(64))
        }
    }

    /// The exit and the output of `jobqueue-api audit verify`.
    private func verify(_ deployment: Deployment, _ options: String...) async throws -> (ProcessExit, String) {
        let process = try await deployment.start(
            "jobqueue-api", ["audit", "verify"] + options, ["MIGRATIONS_DIR": TestDatabase.migrationsDirectory])
        return (try await process.waitForExit(), process.lines.joined(separator: "\n"))
    }

    @Test func `a pause that cancels running jobs, and one with an end`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startWorker()
            _ = try await deployment.startReaper()
            let long = try await api.post(["type": "sleep", "payload": 600, "cancel_grace_seconds": 1])
            try await api.wait(for: long, toBe: "running")
            let past = #""resume_at":"2020-01-01T00:00:00Z""#
            let overdue = try await change(
                api, "pause",
                #"{"reason":"test","updated_by":"ada","cancel_running":true,"scope":"type:sleep",\#(past)}"#,
                status: 422)
            #expect(overdue["errors"]?[0]?["pointer"] == "/resume_at")
            #expect(try await api.job(long)["status"] == "running")
            let paused = try await change(
                api, "pause",
                #"{"reason":"test","updated_by":"ada","cancel_running":true,"scope":"type:sleep","wait_seconds":10}"#)
            #expect(paused["cancelled"] == 1)
            try await api.wait(for: long, toBe: "cancelled")
            _ = try await change(
                api, "resume", #"{"reason":"test","updated_by":"ada","scope":"type:sleep","expected_version":1}"#)
            let refused = try await change(
                api, "resume", #"{"reason":"test","updated_by":"ada","scope":"type:sleep","expected_version":1}"#,
                status: 409)
            #expect(refused["state"]?["version"] == 2)

            let soon = try await deployment.texts(
                "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC' + interval '6 s', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
            )
            _ = try await change(
                api, "pause", #"{"reason":"test","updated_by":"ada","resume_at":"\#(soon[0])","wait_seconds":10}"#)
            let ready = try await waitFor("the probe shows the pause") {
                let ready = try JSONValue(parsing: try await api.client.get("/ready").body)
                return ready["paused"] == true ? ready : JSONValue?.none
            }
            #expect(ready["status"] == "ready")
            let waiting = try await api.post(["type": "echo"])
            try await api.wait(for: waiting, toBe: "succeeded")
            let job = try await api.job(waiting)
            #expect((job["started_at"]?.string ?? "") > soon[0])
            let state = try await waitFor("the end of the pause is recorded") {
                let state = try JSONValue(parsing: try await api.client.get("/api/worker/control-state").body)
                return state["version"] == 4 ? state : JSONValue?.none
            }
            #expect(state["paused"] == false)
        }
    }

    @Test func `the pause file pauses one worker, and can only add a pause`() async throws {
        let scratch = try ScratchDirectory()
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            try scratch.write("control", "paused\n")
            let worker = try await deployment.startWorker("worker", ["CONTROL_FILE": scratch.file("control")])
            try await worker.waitForLine(containing: "paused by a file")
            let id = try await api.post(["type": "echo"])
            try await Task.sleep(for: .milliseconds(300))
            #expect(try await api.job(id)["status"] == "queued")
            func isReported() async throws -> Bool? {
                let workers = try JSONValue(parsing: try await api.client.get("/api/workers").body)
                return workers["workers"]?[0]?["paused_by_file"] == true
            }
            try await waitUntil("the worker reports its pause") { try await isReported() == true }
            let why = try JSONValue(parsing: try await api.client.get("/api/jobs/\(id)/why").body)
            #expect(why["reasons"]?[0]?["code"] == "workers_paused")
            try scratch.write("control", "{\"paused\": false}")
            try await api.wait(for: id, toBe: "succeeded")
            try await waitUntil("the worker reports the end") { try await isReported() == false }
        }
    }
}
