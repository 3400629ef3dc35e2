import EventLoop
import Glibc
import JSON
import TestKit
import Testing

/// The manifests and the programs agree: variables, values, commands, probes, versions, and the roles of PostgreSQL.
@Suite struct ManifestProgramTests {
    private func withManifests(_ body: (Manifests, Services) async throws -> Void) async throws {
        try await withServices { services in try await body(try await Manifests(services), services) }
    }

    /// Runs a program until it exits.
    private func run(
        _ services: Services, _ program: String, _ arguments: [String], _ environment: [String: String] = [:]
    ) async throws -> (exit: ProcessExit, lines: [String]) {
        let process = try await services.start(program, arguments, environment: environment)
        return (try await process.waitForExit(within: .seconds(30)), process.lines)
    }

    @Test func `every variable of a pod is declared by its program, with a valid value`() async throws {
        let scratch = try ScratchDirectory()
        try await withManifests { manifests, services in
            let handlers = try #require(try manifests.named("ConfigMap", "jobqueue-handlers")["data"]?["handlers.json"])
            try scratch.write("handlers.json", handlers.string ?? "")
            var declared: [String: Set<String>] = [:]
            for program in ["jobqueue-api", "jobqueue-worker", "jobqueue-reaper"] {
                let names = Set(
                    try await run(services, program, ["--list-settings"]).lines.compactMap {
                        $0.split(separator: "\t").first.map(String.init)
                    })
                #expect(names.count > 5)
                declared[program] = names
            }
            let ofAny = declared.values.reduce(into: Set<String>()) { $0.formUnion($1) }
            let keys = Set(manifests.containers.flatMap(\.configMapKeys))
            for container in manifests.containers {
                guard let program = container.program else { continue }
                let ofProgram = try #require(declared[program])
                let own = Set(container.ownVariables.compactMap { $0["name"]?.string })
                var variables = try manifests.environment(container)
                for name in variables.keys {
                    // Every pod has all variables of jobqueue-config, and a program reads its own.
                    let known = own.contains(name) ? ofProgram : ofAny.union(keys)
                    let isFile = name.hasSuffix("_FILE") && known.contains(String(name.dropLast(5)))
                    #expect(known.contains(name) || isFile, "\(container.title): \(program) does not read \(name)")
                }
                let secrets = try manifests.secretFiles(container)
                for (name, value) in variables {
                    guard value.hasPrefix("/etc/jobqueue/") else { continue }
                    let file = String(value.split(separator: "/").last ?? "")
                    if value.hasPrefix("/etc/jobqueue/secrets/") {
                        let secret = try #require(secrets[file], "\(container.title): no secret has \(file)")
                        try scratch.write(file, secret)
                    }
                    variables[name] = scratch.file(file)
                }
                // A pod of a StatefulSet gets its ordinal from its name.
                if container.manifest.kind == "StatefulSet" { variables["POOL_ORDINAL"] = "0" }
                variables["MIGRATIONS_DIR"] = program == "jobqueue-api" ? TestDatabase.migrationsDirectory : nil
                let check = try await run(services, program, container.arguments + ["--check-config"], variables)
                #expect(check.exit == .code(0), "\(container.title): \(check.lines)")
                #expect(check.lines == ["the configuration is valid"], "\(container.title)")
            }
        }
    }

    @Test func `images have the version of their programs`() async throws {
        try await withManifests { manifests, services in
            for container in manifests.containers {
                guard let program = container.program else { continue }
                let version = try await run(services, program, ["--version"]).lines.first ?? ""
                #expect(version == "\(program) \(container.version ?? "")", "\(container.title)")
            }
        }
    }

    @Test func `probes use existing endpoints, and liveness does not depend on PostgreSQL`() async throws {
        let database = try await TestDatabase.migrated()
        try await withManifests { manifests, services in
            let api = try await services.startApi(database.url)
            try await api.waitUntilReady()
            for container in manifests.containers {
                guard let program = container.program,
                    ["Deployment", "StatefulSet"].contains(container.manifest.kind)
                else { continue }
                for kind in ["livenessProbe", "readinessProbe"] {
                    let title = "\(container.title), \(kind)"
                    let probe = try #require(container.value[kind], "\(title)")
                    let isReadiness = kind == "readinessProbe"
                    if let get = probe["httpGet"] {
                        #expect(get["path"]?.string == (isReadiness ? "/ready" : "/health"), "\(title)")
                        #expect(try await api.stranger.get(get["path"]?.string ?? "").status == 200, "\(title)")
                        let port = container.value["ports"]?.array?.first { $0["name"] == get["port"] }
                        #expect(
                            port?["containerPort"]?.integer.map { "\($0)" }
                                == (try manifests.environment(container)["API_PORT"]), "\(title)")
                    } else {
                        let command = probe["exec"]?["command"]?.array?.compactMap(\.string) ?? []
                        #expect(command == [program, "health"] + (isReadiness ? ["--ready"] : []), "\(title)")
                        // 64 would mean an unknown command.
                        let answer = try await run(services, program, Array(command.dropFirst()))
                        #expect(answer.exit == .code(1), "\(title): \(answer.lines)")
                    }
                    #expect((probe["timeoutSeconds"]?.integer ?? 0) >= 5, "\(title)")
                }
            }
        }
    }

    @Test func `the service has the port of the api`() async throws {
        try await withManifests { manifests, _ in
            let port = try manifests.named("Service", "jobqueue-api")["spec"]?["ports"]?[0]
            #expect(port?["port"] == 80 && port?["targetPort"] == "http")
            let container = try #require(
                manifests.containers.first { $0.manifest.title.hasSuffix("Deployment jobqueue-api") })
            let named = container.value["ports"]?.array?.first { $0["name"] == "http" }
            #expect(named?["containerPort"] == 8_000)
            #expect(try manifests.environment(container)["API_PORT"] == "8000")
        }
    }

    @Test func `the commands of the control and watchdog Jobs do what their names say`() async throws {
        let database = try await TestDatabase.migrated()
        try await withManifests { manifests, services in
            func perform(_ name: String) async throws -> JSONValue {
                let container = try #require(manifests.containers.first { $0.manifest.name == name })
                let done = try await run(
                    services, try #require(container.program), container.arguments, ["DATABASE_URL": database.url])
                #expect(done.exit == .code(0), "\(name): \(done.lines)")
                return (try? JSONValue(parsing: done.lines.joined(separator: "\n"))) ?? .null
            }
            #expect(try await perform("check-worker-state")["paused"] == false)
            #expect(try await perform("pause-all-workers")["paused"] == true)
            #expect(try await perform("check-worker-state")["paused"] == true)
            #expect(try await perform("resume-all-workers")["paused"] == false)
            #expect(try await perform("pause-workers-maintenance")["resume_at"]?.string != nil)
            #expect(try await perform("resume-workers-maintenance")["paused"] == false)
            _ = try await perform("ending-watchdog")
        }
    }

    @Test func `the ConfigMap of the pause manifests pauses a worker and resumes it`() async throws {
        let scratch = try ScratchDirectory()
        try await Deployment.use { deployment in
            let manifests = try await Manifests(deployment.services)
            func state(_ name: String) throws -> String {
                let container = try #require(manifests.containers.first { $0.manifest.name == name })
                let patch = try #require(container.arguments.first { $0.hasPrefix("--patch=") }?.dropFirst(8))
                return try #require(try JSONValue(parsing: String(patch))["data"]?["state"]?.string)
            }
            // At first the ConfigMap has no data, so there is no file.
            #expect(try manifests.named("ConfigMap", "jobqueue-worker-control")["data"] == nil)
            let api = try await deployment.startApi()
            let worker = try await deployment.startWorker("worker", ["CONTROL_FILE": scratch.file("state")])
            try await api.wait(for: try await api.post(["type": "echo"]), toBe: "succeeded")
            try scratch.write("state", try state("pause-workers-by-file"))
            try await worker.waitForLine(containing: "paused by a file")
            let id = try await api.post(["type": "echo"])
            try scratch.write("state", try state("resume-workers-by-file"))
            try await api.wait(for: id, toBe: "succeeded")
        }
    }

    /// Runs the SQL with which the trial PostgreSQL creates its roles.
    /// - Parameters:
    ///   - programs: `DATABASE_URL` of the programs.
    ///   - owner: `DATABASE_URL` of the migration.
    private func createRoles(
        _ manifests: Manifests, _ services: Services, on server: PostgresServer, programs: String, owner: String
    ) async throws {
        let (secrets, owners) = (try ScratchDirectory(), try ScratchDirectory())
        try secrets.write("DATABASE_URL", programs)
        try owners.write("DATABASE_URL", owner)
        let map = try manifests.named("ConfigMap", "postgres-init")
        let sql = try #require(map["data"]?["roles.sql"]?.string)
            .replacing("/etc/jobqueue/secrets", with: secrets.path)
            .replacing("/etc/jobqueue/owner", with: owners.path)
        let file = try secrets.write("roles.sql", sql)
        let prepared = try await run(
            services, "psql",
            ["-qX", "-v", "ON_ERROR_STOP=1", "-d", server.url(database: "postgres"), "-f", file])
        #expect(prepared.exit == .code(0), "\(prepared.lines)")
        withExtendedLifetime((secrets, owners)) {}
    }

    @Test func `without a secret of the owner, the role of the programs migrates the trial PostgreSQL`() async throws {
        let server = try PostgresServer()
        try await withManifests { manifests, services in
            let url = "postgresql://jobqueue:a-password@postgres:5432/jobqueue"
            try await createRoles(manifests, services, on: server, programs: url, owner: url)
            let local = server.url(database: "jobqueue").replacing("//postgres@", with: "//jobqueue@")
            let migrated = try await run(
                services, "jobqueue-api", ["migrate"],
                ["DATABASE_URL": local, "MIGRATIONS_DIR": TestDatabase.migrationsDirectory])
            #expect(migrated.exit == .code(0), "\(migrated.lines)")
            let once = try await run(services, "jobqueue-reaper", ["once"], ["DATABASE_URL": local])
            #expect(once.exit == .code(0), "\(once.lines)")
        }
    }

    @Test func `the role of the trial PostgreSQL is sufficient for the programs, and owns nothing`()
        async throws
    {
        let server = try PostgresServer()
        try await withManifests { manifests, services in
            func example(_ secret: String) throws -> String {
                try #require(try manifests.named("Secret", secret)["stringData"]?["DATABASE_URL"]?.string)
            }
            try await createRoles(
                manifests, services, on: server, programs: try example("jobqueue-secret-example"),
                owner: try example("jobqueue-owner-secret-example"))
            func url(_ role: String) -> String {
                server.url(database: "jobqueue").replacing("//postgres@", with: "//\(role)@")
            }
            let migrated = try await run(
                services, "jobqueue-api", ["migrate"],
                ["DATABASE_URL": url("jobqueue_owner"), "MIGRATIONS_DIR": TestDatabase.migrationsDirectory])
            #expect(migrated.exit == .code(0), "\(migrated.lines)")

            let api = try await services.startApi(url("jobqueue"))
            try await api.waitUntilReady()
            let reaper = try await services.start(
                "jobqueue-reaper", environment: ["DATABASE_URL": url("jobqueue"), "REAPER_INTERVAL_SECONDS": "1"])
            let worker = try await services.start(
                "jobqueue-worker",
                environment: ["DATABASE_URL": url("jobqueue"), "WORKER_POLL_INTERVAL_SECONDS": "0.1"])
            try await worker.waitForLine(containing: "\"working\"", within: .seconds(30))
            for job: JSONValue in [
                ["type": "echo"], ["type": "echo", "queue": "other", "concurrency_key": "a", "unique_key": "b"],
            ] {
                try await api.wait(for: try await api.post(job), toBe: "succeeded")
            }
            let failing = try await api.post(["type": "fail", "max_attempts": 1])
            try await api.wait(for: failing, toBe: "failed")
            #expect(try await api.client.request("POST", "/api/jobs/\(failing)/retry").status == 200)
            let paused = try await api.client.post(
                "/api/worker/pause", #"{"reason":"x","updated_by":"y","wait_seconds":20}"#)
            #expect(paused.status == 200, "\(paused.text)")
            #expect(try await api.client.get("/api/queues").status == 200)
            #expect(try await api.metrics().sum("jobqueue_database_up") == 1)
            // All periodic tasks: partitions are created with the rights of the owner.
            let once = try await run(services, "jobqueue-reaper", ["once"], ["DATABASE_URL": url("jobqueue")])
            #expect(once.exit == .code(0), "\(once.lines)")
            for service in [api.service, worker, reaper] {
                #expect(!service.lines.contains { $0.contains("permission denied") }, "\(service.lines)")
            }
            let owned = try await run(
                services, "psql",
                [
                    "-qXAt", "-d", url("jobqueue"), "-c",
                    "SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = 'jobqueue'",
                ])
            #expect(owned.lines == ["0"])
            let refused = try await run(
                services, "psql", ["-qXAt", "-d", url("jobqueue"), "-c", "DROP TABLE jobqueue.ready"])
            #expect(refused.exit != .code(0))
        }
    }
}
