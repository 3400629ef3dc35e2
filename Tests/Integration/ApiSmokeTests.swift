import JSON
import TestKit
import Testing

/// A few requests of each area to a real process. `ApiTests` has the whole behaviour of the operations, in process.
@Suite struct ApiSmokeTests {
    @Test func `each area answers on the port of the process, and asks for the key`() async throws {
        try await withApi { api, database in
            let id = try await api.createJob(#"{"type":"a","run_at":"2099-01-01T00:00:00Z"}"#)
            for target in [
                "/api/jobs", "/api/jobs/\(id)", "/api/jobs/\(id)/events", "/api/jobs/\(id)/why", "/api/queues",
                "/api/workers", "/api/worker/control-state", "/api/worker/control-history", "/api/pools",
                "/openapi.json",
            ] {
                let answer = try await api.client.get(target)
                #expect(answer.status == 200 && answer["Content-Type"] == "application/json", "\(target)")
                let isOpen = target == "/openapi.json"
                #expect(try await api.stranger.get(target).status == (isOpen ? 200 : 401), "\(target)")
            }
            let queue = try await api.client.request("PUT", "/api/queues/mail", body: #"{"max_running":5}"#)
            #expect(try queue.json["max_running"]?.integer == 5)
            let pool = try await api.client.request(
                "PUT", "/api/pools/swarm", body: #"{"size":"auto","workloads":["a"],"handler":"stream"}"#)
            #expect(try pool.json["name"] == "swarm")
            let bulk = try await api.client.post("/api/jobs/cancel", #"{"filter":{"type":"a"}}"#)
            #expect(try bulk.json["changed"]?.integer == 1)
            let paused = try await api.client.post("/api/worker/pause", #"{"reason":"test","updated_by":"ada"}"#)
            #expect(try paused.json["paused"] == true)

            let refused = try await api.client.post("/api/jobs", #"{"type":"a","colour":"red"}"#)
            #expect(refused.status == 422 && refused["Content-Type"] == "application/problem+json")
            #expect(try refused.json["errors"]?[0]?["pointer"]?.string == "/colour")
            #expect(try await database.count("job") == 1)
        }
    }
}
