import JSON
import TestKit
import Testing

/// Outages of PostgreSQL before a worker starts and while it runs.
@Suite struct WorkerOutageTests {
    @Test func `a worker waits for PostgreSQL, and works again after each outage`() async throws {
        let server = try PostgresServer()
        let database = try await TestDatabase.empty(on: server)
        try await withServices { services in
            let deployment = Deployment(database: database, services: services)
            try await database.migrate()
            try server.stop(.fast)

            let worker = try await deployment.startWorker(waiting: false)
            try await worker.waitForLine(containing: "waiting for the schema", within: .seconds(30))
            let api = try await services.startApi(database.url)
            try server.start()
            try await worker.waitForLine(containing: "\"working\"", within: .seconds(30))
            try await api.waitUntilReady()

            for mode in [PostgresServer.StopMode.immediate, .fast] {
                let id = try await api.post(["type": "echo"])
                try await api.wait(for: id, toBe: "succeeded")
                let seen = worker.lines.count
                try server.stop(mode)
                try await worker.waitForLine(containing: "WARNING", from: seen, within: .seconds(20))
                try server.start()
                try await api.waitUntilReady()
            }
            let id = try await api.post(["type": "echo"])
            try await api.wait(for: id, toBe: "succeeded")
            #expect(worker.exited == nil)
            #expect(api.service.exited == nil)
        }
    }

    @Test func `a worker logs that it waits for the schema, and starts when it exists`() async throws {
        let database = try await TestDatabase.empty()
        try await withServices { services in
            let deployment = Deployment(database: database, services: services)
            let worker = try await deployment.startWorker(waiting: false)
            let line = try await worker.waitForLine(containing: "waiting for the schema")
            #expect(line.contains("no schema yet") && line.contains("migrate up"))
            try await database.migrate()
            try await worker.waitForLine(containing: "\"working\"")
            #expect(worker.lines.count { $0.contains("no schema yet") } == 1)
        }
    }

    @Test func `a worker that starts during an upgrade works with the newer schema`() async throws {
        try await Deployment.use { deployment in
            try await deployment.sql("UPDATE schema_migration SET version = 999 WHERE version = 1")
            let api = try await deployment.startApi()
            let worker = try await deployment.startWorker()
            try await worker.waitForLine(containing: "the schema is newer than this release")
            try await api.wait(for: try await api.post(["type": "echo"]), toBe: "succeeded")
        }
    }

    @Test func `a read-only PostgreSQL does not fail a job that has succeeded`() async throws {
        try await Deployment.use { deployment in
            let api = try await deployment.startApi()
            let worker = try await deployment.startWorker()
            // It must not end before the sessions are read-only.
            let id = try await api.post(["type": "sleep", "payload": 5])
            try await api.wait(for: id, toBe: "running")
            let name = deployment.database.name
            // As after a failover to a standby: new sessions are read-only.
            try await deployment.sql("ALTER DATABASE \(name) SET default_transaction_read_only = on")
            try await deployment.database.terminateSessions()
            try await worker.waitForLine(containing: "cannot write attempt results; retrying", within: .seconds(20))
            #expect(try await api.client.post("/api/jobs", #"{"type":"echo"}"#).status == 503)
            try await deployment.database.run(
                "SET default_transaction_read_only = off",
                "ALTER DATABASE \(name) RESET default_transaction_read_only")
            // No session is terminated, but the programs must leave the read-only sessions on their own.
            let job = try await api.wait(for: id, toBe: "succeeded", within: .seconds(30))
            #expect(job["attempt"] == 1)
            let next = try await waitFor("a job is accepted again") {
                try await api.client.post("/api/jobs", #"{"type":"echo"}"#).status == 201 ? true : nil
            }
            #expect(next)
        }
    }
}
