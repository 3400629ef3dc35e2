import EventLoop
import Glibc
import JSON
import TestKit
import Testing

/// The command `jobqueue-api control`, which pauses and resumes without an api.
@Suite struct ControlCommandTests {
    private func control(
        _ deployment: Deployment, _ arguments: String...
    ) async throws -> (exit: ProcessExit, document: JSONValue) {
        let process = try await deployment.start("jobqueue-api", ["control"] + arguments)
        let exit = try await process.waitForExit(within: .seconds(30))
        return (exit, try JSONValue(parsing: process.lines.joined(separator: "\n")))
    }

    @Test func `a pause and a resume wait for the acknowledgement of a worker, and are in the history`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startWorker()
            let paused = try await control(
                deployment, "pause", "--reason=upgrade of the disk", "--updated-by", "ada", "--wait-seconds=20",
                "--for-minutes=5")
            #expect(paused.exit == .code(0))
            #expect(paused.document["acknowledged"] == true)
            #expect(paused.document["paused"] == true)
            #expect(paused.document["resume_at"]?.string != nil)
            let id = try await api.post(["type": "echo"])

            let state = try await control(deployment, "state")
            #expect(state.exit == .code(0))
            #expect(state.document["paused"] == true && state.document["version"] == 1)
            #expect(try await control(deployment).document == state.document)
            #expect(try await api.job(id)["status"] == "queued")

            let late = try await control(
                deployment, "resume", "--reason=done", "--updated-by=ada", "--expected-version=7")
            #expect(late.exit == .code(2) && late.document["version"] == 1)
            let resumed = try await control(
                deployment, "resume", "--reason=done", "--updated-by=ada", "--expected-version=1")
            #expect(resumed.exit == .code(0) && resumed.document["paused"] == false)
            try await api.wait(for: id, toBe: "succeeded")

            let history = try JSONValue(parsing: try await api.client.get("/api/worker/control-history").body)
            #expect(history["changes"]?.array?.map { $0["reason"] } == ["done", "upgrade of the disk"])
        }
    }

    @Test func `a pause of a type that cancels its running jobs`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            _ = try await deployment.startWorker()
            let id = try await api.post(["type": "sleep", "payload": 600])
            try await api.wait(for: id, toBe: "running")
            let paused = try await control(
                deployment, "pause", "--scope=type:sleep", "--reason=x", "--updated-by=ada", "--cancel-running")
            #expect(paused.exit == .code(0) && paused.document["cancelled"] == 1)
            #expect(paused.document["resume_at"] == .null)
            try await api.wait(for: id, toBe: "cancelled")
        }
    }

    @Test func `workers that do not acknowledge in time are listed, with status 2`() async throws {
        try await Deployment.use { deployment in
            let worker = try await deployment.startWorker("deaf")
            worker.signal(SIGSTOP)
            let paused = try await control(
                deployment, "pause", "--reason=x", "--updated-by=ada", "--wait-seconds=1")
            #expect(paused.exit == .code(2))
            #expect(paused.document["acknowledged"] == false)
            #expect(paused.document["workers"]?.array?.map { $0["name"] } == ["deaf"])
        }
    }

    @Test(arguments: [
        (["pause"], "--reason is required; --updated-by is required"),
        (["pause", "--reason=x", "--updated-by=y", "--scope=queue"], "--scope must be all"),
        (["pause", "--reason=x\ny", "--updated-by=y"], "--reason"),
        (["resume", "--reason=x", "--updated-by=y", "--for-minutes=1"], "--for-minutes is accepted for a pause only"),
        (
            ["resume", "--reason=x", "--updated-by=y", "--cancel-running"],
            "--cancel-running is accepted for a pause only"
        ),
        (["pause", "--reason=x", "--updated-by=y", "--wait-seconds=61"], "--wait-seconds"),
        (["pause", "--reason=x", "--updated-by=y", "--expected-version=-1"], "--expected-version"),
        (["state", "--scope=all"], "control state takes no options"), (["stop"], "unknown argument"),
    ])
    func `an invalid option exits with status 64, and changes nothing`(
        arguments: [String], complaint: String
    ) async throws {
        try await withServices { services in
            let environment = ["DATABASE_URL": "postgresql://127.0.0.1:\(FreePort.take())/none"]
            let process = try await services.start(
                "jobqueue-api", ["control"] + arguments, environment: environment)
            #expect(try await process.waitForExit() == .code(64))
            #expect(process.lines.joined(separator: "\n").contains(complaint), "\(process.lines)")
        }
    }

    @Test func `without PostgreSQL, and without a schema, it ends with status 1 and an error`() async throws {
        let empty = try await TestDatabase.empty()
        try await withServices { services in
            for url in ["postgresql://127.0.0.1:\(FreePort.take())/none", empty.url] {
                let process = try await services.start(
                    "jobqueue-api", ["control", "state"], environment: ["DATABASE_URL": url])
                #expect(try await process.waitForExit(within: .seconds(30)) == .code(1))
                #expect(process.lines.contains { $0.hasPrefix("jobqueue-api control: ") }, "\(process.lines)")
            }
        }
    }
}
