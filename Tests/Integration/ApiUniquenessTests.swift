import JSON
import TestKit
import Testing

@Suite struct ApiUniquenessTests {
    @Test func `a request that is sent again has the same answer from another process`() async throws {
        let database = try await TestDatabase.migrated()
        try await withServices { services in
            let first = try await services.startApi(database.url)
            let body = #"{"type":"echo","payload":{"order":4711},"max_attempts":3}"#
            let bulk = #"{"jobs":[{"type":"echo"},{"type":"echo","unique_key":"u"},{"type":"echo","unique_key":"u"}]}"#
            func send(_ api: RunningApi, _ path: String, _ key: String, _ body: String) async throws -> HTTPTestResponse
            {
                try await api.client.request("POST", path, headers: [("Idempotency-Key", key)], body: body)
            }
            let single = try await send(first, "/api/jobs", "order 4711", body)
            let many = try await send(first, "/api/jobs/batch", "many", bulk)
            #expect(single.status == 201 && many.status == 201)
            first.service.signal(9)
            _ = try await first.service.waitForExit()

            // The client did not receive these responses.
            let second = try await services.startApi(database.url)
            let again = try await send(second, "/api/jobs", "order 4711", body)
            #expect(again.status == 201 && again.text == single.text && again["Location"] == single["Location"])
            let manyAgain = try await send(second, "/api/jobs/batch", "many", bulk)
            #expect(manyAgain.status == 201 && manyAgain.text == many.text)
            #expect(try await database.count("job") == 3)

            for (path, key, body) in [
                ("/api/jobs", "order 4711", #"{"type":"echo"}"#), ("/api/jobs/batch", "order 4711", bulk),
            ] {
                let other = try await send(second, path, key, body)
                #expect(other.status == 409, "\(other.text)")
            }
            for key in ["", String(repeating: "k", count: 256), "\u{e9}"] {
                let refused = try await send(second, "/api/jobs", key, body)
                #expect(refused.status == 400, "\(key): \(refused.text)")
            }
            let twice = try await second.client.request(
                "POST", "/api/jobs", headers: [("Idempotency-Key", "a"), ("Idempotency-Key", "a")], body: body)
            #expect(twice.status == 400)
            #expect(try await database.count("job") == 3)
        }
    }
}
