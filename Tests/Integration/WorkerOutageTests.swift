import JSON
import TestKit
import Testing

/// PostgreSQL is away when a worker begins, and again later.
@Suite struct WorkerOutageTests {
    @Test func `a worker waits for PostgreSQL, and comes back after each outage`() async throws {
        let server = try PostgresServer()
        let database = try await TestDatabase.empty(on: server)
        try await withServices { services in
            let deployment = Deployment(database: database, services: services)
            try await database.migrate()
            try server.stop(.fast)

            let worker = try await deployment.startWorker(waiting: false)
            try await worker.waitForLine(containing: "waiting to begin", within: .seconds(30))
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
}
