import EventLoop
import JSON
import TestKit
import Testing

/// Outages of PostgreSQL while an api runs.
@Suite struct ApiOutageTests {
    @Test func `an api that starts before PostgreSQL serves after its start, and again after a crash`() async throws {
        let server = try PostgresServer()
        let database = try await TestDatabase.empty(on: server)
        try await database.migrate()
        try server.stop(.immediate)
        try await withServices { services in
            let api = try await services.startApi(database.url)
            #expect(try await api.stranger.get("/health").status == 200)
            let unready = try await api.stranger.get("/ready")
            #expect(unready.status == 503)
            #expect(unready["Content-Type"] == "application/problem+json")
            #expect(try unready.json["detail"]?.string == "PostgreSQL cannot be reached")
            try await api.service.waitForLine(containing: "not ready")

            try server.start()
            try await api.waitUntilReady()
            let before = try await api.createJob(#"{"type":"before"}"#)

            try server.stop(.immediate)
            async let refused = api.client.post("/api/jobs", #"{"type":"during"}"#)
            try await api.waitUntilReady(503)
            #expect(try await api.stranger.get("/health").status == 200)
            let page = try await api.stranger.get("/metrics")
            #expect(page.status == 200)
            #expect(page.text.contains("\njobqueue_database_up 0\n") && page.text.contains("process_open_fds"))
            #expect(page.text.contains("\n# TYPE job_created_total counter\n"))
            #expect(!page.text.contains("\njob_created_total{"))
            let answer = try await refused
            #expect(answer.status == 503)
            #expect(answer["Retry-After"].flatMap { Int($0) } != nil)
            #expect(answer.text.contains("PostgreSQL"))
            #expect(!answer.text.contains("INSERT") && !answer.text.contains("/tmp/"))

            try server.start()
            try await api.waitUntilReady()
            let after = try await api.createJob(#"{"type":"after"}"#)
            for id in [before, after] {
                #expect(try await api.client.get("/api/jobs/\(id)").status == 200)
            }
            #expect(api.service.exited == nil)
            // The page caches what it has read from PostgreSQL, also a failure, for a second.
            let deadline = ContinuousClock.now + .seconds(20)
            var text = ""
            while !text.contains("\njobqueue_database_up 1\n"), .now < deadline {
                text = try await api.stranger.get("/metrics").text
            }
            #expect(text.contains("\njobqueue_database_up 1\n"))
            let errors = api.service.lines.filter { $0.contains(#""level":"ERROR""#) }
            #expect(errors.isEmpty, "\(errors)")
        }
    }

    @Test func `terminated sessions are replaced, and no acknowledged job is lost`() async throws {
        try await withApi { api, database in
            var acknowledged: [String] = []
            for _ in 0..<10 {
                async let created = api.client.post("/api/jobs", #"{"type":"a"}"#)
                try await database.terminateSessions()
                let answer = try await created
                #expect([201, 503].contains(answer.status), "\(answer.text)")
                if answer.status == 201, let id = try answer.json["id"]?.string { acknowledged.append(id) }
            }
            acknowledged.append(try await api.createJob())
            for id in acknowledged { #expect(try await api.client.get("/api/jobs/\(id)").status == 200) }
            #expect(api.service.exited == nil)
        }
    }

    @Test func `an api is ready only while a write would succeed`() async throws {
        try await withApi { api, database in
            try await database.setDefault("default_transaction_read_only = on")
            try await database.terminateSessions()
            try await api.waitUntilReady(503)
            #expect(try await api.stranger.get("/ready").text.contains("accepts no writes"))
            #expect(try await api.client.post("/api/jobs", #"{"type":"a"}"#).status == 503)
            try await database.resetDefault("default_transaction_read_only")
            try await database.terminateSessions()
            try await api.waitUntilReady()
            _ = try await api.createJob()

            try await database.sql("ALTER SCHEMA jobqueue RENAME TO elsewhere")
            try await api.waitUntilReady(503)
            try await database.sql("ALTER SCHEMA elsewhere RENAME TO jobqueue")
            try await api.waitUntilReady()
            _ = try await api.createJob()
        }
    }

    @Test func `a database without a schema is reported with the remedy, until it is migrated`() async throws {
        let database = try await TestDatabase.empty()
        try await withServices { services in
            let api = try await services.startApi(database.url)
            let unready = try await api.stranger.get("/ready")
            #expect(unready.status == 503)
            #expect(unready.text.contains("jobqueue-api migrate up"))
            let refused = try await api.client.post("/api/jobs", #"{"type":"a"}"#)
            #expect(refused.status == 503)
            #expect(refused.text.contains("jobqueue-api migrate"))

            let migrate = try await services.start(
                "jobqueue-api", ["migrate"],
                environment: ["DATABASE_URL": database.url, "MIGRATIONS_DIR": TestDatabase.migrationsDirectory])
            #expect(try await migrate.waitForExit(within: .seconds(30)) == .code(0))
            try await api.waitUntilReady()
            _ = try await api.createJob()
        }
    }
}
