import EventLoop
import TestKit
import Testing

@Suite struct ApiMigrateTests {
    private func migrate(
        _ services: Services, _ arguments: [String], _ url: String, _ settings: [String: String] = [:]
    ) async throws -> ServiceProcess {
        let environment = ["DATABASE_URL": url, "MIGRATIONS_DIR": TestDatabase.migrationsDirectory]
        return try await services.start(
            "jobqueue-api", ["migrate"] + arguments, environment: environment.merging(settings) { $1 })
    }

    @Test func `migrate shows the plan, applies it once, and shows the result`() async throws {
        let database = try await TestDatabase.empty()
        try await withServices { services in
            func lines(_ arguments: String..., status: Int32 = 0) async throws -> [String] {
                let process = try await migrate(services, arguments, database.url)
                #expect(try await process.waitForExit(within: .seconds(30)) == .code(status))
                return process.lines
            }
            #expect(try await lines("status", status: 2).first == "pending  0001_queues.sql")
            #expect(try await lines("--dry-run").first == "would apply 0001_queues.sql")
            #expect(try await database.integer("SELECT count(*) FROM pg_namespace WHERE nspname = 'jobqueue'") == 0)
            let applied = try await lines("up")
            #expect(applied.first == "applying 0001_queues.sql")
            #expect(applied.last?.hasSuffix("the schema is up to date") == true)
            #expect(try await lines() == ["nothing to do: the schema is up to date"])
            #expect(try await lines("status").allSatisfy { $0.hasPrefix("applied  20") })
        }
    }

    @Test func `of many concurrent migrations one does the work, and all succeed`() async throws {
        let database = try await TestDatabase.empty()
        try await withServices { services in
            var processes: [ServiceProcess] = []
            for _ in 0..<4 { processes.append(try await migrate(services, [], database.url)) }
            for process in processes {
                #expect(try await process.waitForExit(within: .seconds(60)) == .code(0))
            }
            #expect(processes.filter { $0.lines.contains("applying 0001_queues.sql") }.count == 1)
        }
    }

    @Test func `it waits for PostgreSQL for a limited time`() async throws {
        let server = try PostgresServer()
        let database = try await TestDatabase.empty(on: server)
        try server.stop(.fast)
        try await withServices { services in
            let impatient = try await migrate(services, ["--wait-seconds=0"], database.url)
            #expect(try await impatient.waitForExit() == .code(1))
            #expect(impatient.lines.first?.hasPrefix("jobqueue-api migrate: cannot connect to PostgreSQL") == true)

            let patient = try await migrate(services, ["up", "--wait-seconds", "30"], database.url)
            try await patient.waitForLine(containing: "waiting for PostgreSQL")
            try server.start()
            #expect(try await patient.waitForExit(within: .seconds(30)) == .code(0))
        }
    }

    @Test func `an unusable database is an error that names the reason`() async throws {
        let database = try await TestDatabase.empty()
        try await withServices { services in
            let lost = try await migrate(services, [], database.url, ["MIGRATIONS_DIR": "/nowhere"])
            #expect(try await lost.waitForExit() == .code(78))
            #expect(lost.lines.contains { $0.contains("MIGRATIONS_DIR: \"/nowhere\"") })
            let empty = try await migrate(services, [], database.url, ["MIGRATIONS_DIR": "/proc/self/task"])
            #expect(try await empty.waitForExit() == .code(1))
            #expect(empty.lines.contains { $0.contains("MIGRATIONS_DIR names the directory") })
            let wrong = try await migrate(services, ["down"], database.url)
            #expect(try await wrong.waitForExit() == .code(64))
            #expect(wrong.lines.contains { $0.contains("unknown argument \"down\"") })
        }
    }
}
