import EventLoop
import Glibc
import JSON
import TestKit
import Testing
import Values

/// The command `health`, as the probes of a container call it.
@Suite struct ProbeTests {
    /// The exit status and the output.
    private func probe(
        _ services: Services, _ program: String, _ options: [String] = [], _ environment: [String: String]
    ) async throws -> (ProcessExit, String) {
        let probe = try await services.start(program, ["health"] + options, environment: environment)
        return (try await probe.waitForExit(), probe.lines.joined(separator: "\n"))
    }

    @Test(arguments: ["worker", "reaper"])
    func `programs without a port show liveness and readiness in a file`(name: String) async throws {
        let scratch = try ScratchDirectory()
        let database = try await TestDatabase.empty()
        try await withServices { services in
            let program = "jobqueue-\(name)"
            let probed = ["\(name.uppercased())_STATUS_FILE": scratch.file("status")]
            let before = try await probe(services, program, [], probed)
            #expect(before.0 == .code(1) && before.1.contains("No such file"))

            let service = try await services.start(
                program, environment: probed.merging(["DATABASE_URL": database.url]) { $1 })
            try await waitUntil("it is alive") { try await probe(services, program, [], probed) == (.code(0), "alive") }
            try await waitUntil("the reason for waiting is shown") {
                try await probe(services, program, ["--ready"], probed).1.contains("no schema yet")
            }
            #expect(try await probe(services, program, ["--ready"], probed).0 == .code(1))
            try await database.migrate()
            try await waitUntil("it is ready") {
                try await probe(services, program, ["--ready"], probed) == (.code(0), "ready")
            }
            service.signal(Signals.terminate)
            #expect(try await service.waitForExit() == .code(0))
        }
    }

    @Test func `a process whose secrets come late waits for them, alive and not ready`() async throws {
        let scratch = try ScratchDirectory()
        let database = try await TestDatabase.empty()
        try await withServices { services in
            let url = ["DATABASE_URL_FILE": scratch.file("url")]
            let probed = ["WORKER_STATUS_FILE": scratch.file("status")]
            let migration = try await services.start(
                "jobqueue-api", ["migrate"],
                environment: url.merging(["MIGRATIONS_DIR": TestDatabase.migrationsDirectory]) { $1 })
            let worker = try await services.start("jobqueue-worker", environment: url.merging(probed) { $1 })
            for service in [migration, worker] {
                try await service.waitForLine(containing: "waiting for files of settings")
            }
            try await waitUntil("it is alive") {
                try await probe(services, "jobqueue-worker", [], probed) == (.code(0), "alive")
            }
            #expect(try await probe(services, "jobqueue-worker", ["--ready"], probed).1.contains("DATABASE_URL_FILE"))
            let stopped = try await services.start("jobqueue-worker", environment: url)
            try await stopped.waitForLine(containing: "waiting for files of settings")
            stopped.signal(Signals.terminate)
            #expect(try await stopped.waitForExit() == .code(0))

            try scratch.write("url", database.url)
            #expect(try await migration.waitForExit() == .code(0))
            try await waitUntil("it is ready") {
                try await probe(services, "jobqueue-worker", ["--ready"], probed) == (.code(0), "ready")
            }
        }
    }

    @Test func `a worker without its database is alive and not ready`() async throws {
        let scratch = try ScratchDirectory()
        let server = try PostgresServer()
        let database = try await TestDatabase.empty(on: server)
        try await database.migrate()
        try await withServices { services in
            for name in ["worker", "reaper"] {
                let probed = ["\(name.uppercased())_STATUS_FILE": scratch.file(name)]
                _ = try await services.start(
                    "jobqueue-\(name)", environment: probed.merging(["DATABASE_URL": database.url]) { $1 })
                try await waitUntil("it is ready") {
                    try await probe(services, "jobqueue-\(name)", ["--ready"], probed).0 == .code(0)
                }
            }
            try server.stop(.immediate)
            for name in ["worker", "reaper"] {
                let probed = ["\(name.uppercased())_STATUS_FILE": scratch.file(name)]
                try await waitUntil("it is not ready", within: .seconds(40)) {
                    try await probe(services, "jobqueue-\(name)", ["--ready"], probed).0 == .code(1)
                }
                #expect(try await probe(services, "jobqueue-\(name)", [], probed).0 == .code(0))
            }
            try server.start()
            for name in ["worker", "reaper"] {
                let probed = ["\(name.uppercased())_STATUS_FILE": scratch.file(name)]
                try await waitUntil("it is ready again", within: .seconds(40)) {
                    try await probe(services, "jobqueue-\(name)", ["--ready"], probed).0 == .code(0)
                }
            }
        }
    }

    @Test func `without the variable, or with an invalid option, a probe fails with the reason`() async throws {
        try await withServices { services in
            for name in ["worker", "reaper"] {
                let answer = try await probe(services, "jobqueue-\(name)", [], [:])
                #expect(answer.0 == .code(1))
                #expect(answer.1.contains("\(name.uppercased())_STATUS_FILE is not set"))
                #expect(try await probe(services, "jobqueue-\(name)", ["--alive"], [:]).0 == .code(64))
            }
        }
    }

    @Test func `an invalid setting that a running worker has not read does not fail its probes`() async throws {
        let scratch = try ScratchDirectory()
        try scratch.write("status", "\(MonotonicInstant.now().nanoseconds) working\n")
        try await withServices { services in
            let answer = try await probe(
                services, "jobqueue-worker", [],
                ["WORKER_STATUS_FILE": scratch.file("status"), "WORKER_HANDLERS_FILE": scratch.file("missing")])
            #expect(answer == (.code(0), "alive"))
        }
    }

    @Test func `the probe of an api uses HTTP`() async throws {
        let database = try await TestDatabase.empty()
        try await withServices { services in
            let absent = try await probe(services, "jobqueue-api", [], ["API_PORT": "\(FreePort.take())"])
            #expect(absent.0 == .code(1) && absent.1.contains("cannot connect"))

            let api = try await services.startApi(database.url)
            let place = ["API_HOST": "0.0.0.0", "API_PORT": "\(api.port)"]
            #expect(try await probe(services, "jobqueue-api", [], place) == (.code(0), #"{"status":"ok"}"#))
            let unready = try await probe(services, "jobqueue-api", ["--ready"], place)
            #expect(unready.0 == .code(1) && unready.1.contains("no schema yet"))
            try await database.migrate()
            try await waitUntil("it is ready") {
                try await probe(services, "jobqueue-api", ["--ready"], place).0 == .code(0)
            }
        }
    }

    @Test func `a suspended api is not alive`() async throws {
        try await withServices { services in
            let api = try await services.startApi("postgresql://127.0.0.1:\(FreePort.take())/none")
            api.service.signal(SIGSTOP)
            let answer = try await probe(services, "jobqueue-api", [], ["API_PORT": "\(api.port)"])
            #expect(answer.0 == .code(1) && answer.1.contains("no response in time"))
        }
    }
}
