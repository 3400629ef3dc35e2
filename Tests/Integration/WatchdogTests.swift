import EventLoop
import JSON
import TestKit
import Testing

/// The watchdog as the command `jobqueue-reaper watchdog` and as a task of the reaper.
@Suite struct WatchdogTests {
    private func watchdog(
        _ deployment: Deployment, _ arguments: [String], _ environment: [String: String] = [:]
    ) async throws -> ServiceProcess {
        try await deployment.start("jobqueue-reaper", ["watchdog"] + arguments, environment)
    }

    /// Creates a job that its worker cannot stop, and returns its id.
    private func stuckJob(_ deployment: Deployment, _ api: RunningApi) async throws -> String {
        let id = try await api.post(["type": "lab", "teardown": ["type": "lab.clean", "payload": 7]])
        try await deployment.withFixture { try await $0.lease(1, seconds: 3_600) }
        let answer = try await api.client.request("POST", "/api/jobs/\(id)/cancel")
        #expect(try answer.json["status"] == "ending")
        return id
    }

    @Test func `a dry run lists the jobs that the run then ends, and the metrics page counts them`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let ids = [try await stuckJob(deployment, api), try await stuckJob(deployment, api)]
            let none = try await watchdog(deployment, [])
            #expect(try await none.waitForExit() == .code(0))
            #expect(none.lines == ["0 jobs were ended (force): ending for 30 minutes or longer, at most 20"])

            let options = ["--older-than-minutes", "0", "--max-labs=5", "--action=force"]
            let preview = try await watchdog(deployment, options + ["--dry-run"])
            #expect(try await preview.waitForExit() == .code(0))
            #expect(preview.lines.count == 3)
            for id in ids { #expect(try await api.job(id)["status"] == "ending") }

            let run = try await watchdog(deployment, options)
            #expect(try await run.waitForExit() == .code(0))
            #expect(run.lines.count == 3)
            for (planned, ended) in zip(preview.lines.dropLast(), run.lines) {
                #expect(ended.hasPrefix(planned + " teardown="))
            }
            for id in ids { #expect(try await api.job(id)["status"] == "cancelled") }
            #expect(try await api.metrics().sum("watchdog_jobs_total", "action=\"force\"") == 2)

            _ = try await deployment.startWorker()
            let page = try await api.client.get("/api/jobs?type=lab.clean&include=payload").json
            #expect(page["jobs"]?.array?.map { $0["payload"] } == [7, 7])
        }
    }

    @Test(arguments: [
        ["--action=kill"], ["--older-than-minutes=soon"], ["--max-jobs", "0"], ["--max-jobs"], ["--dry-run=yes"],
        ["--force"], ["now"],
    ])
    func `an invalid option exits with status 64`(arguments: [String]) async throws {
        try await withServices { services in
            let environment = ["DATABASE_URL": "postgresql://127.0.0.1:\(FreePort.take())/none"]
            let process = try await services.start(
                "jobqueue-reaper", ["watchdog"] + arguments, environment: environment)
            #expect(try await process.waitForExit() == .code(64))
        }
    }

    @Test func `without PostgreSQL it exits with status 1`() async throws {
        try await withServices { services in
            let environment = ["DATABASE_URL": "postgresql://127.0.0.1:\(FreePort.take())/none"]
            let process = try await services.start("jobqueue-reaper", ["watchdog"], environment: environment)
            #expect(try await process.waitForExit() == .code(1))
        }
    }

    @Test func `the reaper does the same periodically when configured`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let id = try await stuckJob(deployment, api)
            let reaper = try await deployment.startReaper([
                "WATCHDOG_INTERVAL_SECONDS": "1", "WATCHDOG_OLDER_THAN_MINUTES": "0", "WATCHDOG_ACTION": "fail",
            ])
            #expect(try await api.wait(for: id, toBe: "failed")["last_error"]?["kind"] == "abandoned")
            let line = try await reaper.waitForLine(containing: "a job that did not stop was ended")
            #expect(line.contains(id) && line.contains(#""action":"fail""#))
        }
    }
}
