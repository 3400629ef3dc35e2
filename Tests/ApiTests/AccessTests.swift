import JSON
import TestKit
import Testing

/// What each operation asks of a request that has no key, or another one.
@Suite struct AccessTests {
    private static let closed = [
        ("POST", "/api/jobs"), ("GET", "/api/jobs"), ("POST", "/api/jobs/batch"),
        ("GET", "/api/jobs/01a1f9d1-600b-7408-9921-518e3543629d"),
        ("POST", "/api/jobs/01a1f9d1-600b-7408-9921-518e3543629d/cancel"),
        ("POST", "/api/jobs/01a1f9d1-600b-7408-9921-518e3543629d/retry"),
        ("POST", "/api/jobs/01a1f9d1-600b-7408-9921-518e3543629d/run-now"), ("GET", "/api/queues"),
        ("GET", "/api/workers"), ("HEAD", "/api/jobs"),
    ]

    @Test func `every operation but the open ones needs exactly the key`() async throws {
        try await withApi { api, fixture in
            let key = InProcessApi.key
            let wrong: [[(name: String, value: String)]] = [
                [], [("Authorization", "Bearer \(key.dropLast())")], [("Authorization", "Bearer \(key)x")],
                [("Authorization", "Basic \(key)")], [("Authorization", key)], [("Authorization", "Bearer ")],
                [("Authorization", "Bearer \(key)"), ("Authorization", "Bearer \(key)")],
                [("X-Api-Key", key)], [("Cookie", "key=\(key)")],
            ]
            for (method, target) in Self.closed {
                for fields in wrong {
                    let body = method == "POST" ? #"{"type":"a"}"# : nil
                    let answer = try await api.stranger.request(
                        method, "\(target)?access_token=\(key)&key=\(key)", headers: fields, body: body)
                    #expect(answer.status == 401, "\(method) \(target) \(fields)")
                    #expect(answer["WWW-Authenticate"]?.hasPrefix("Bearer realm=") == true)
                }
            }
            #expect(try await fixture.count("job") == 0)
            for target in ["/health", "/ready", "/metrics"] {
                #expect(try await api.stranger.get(target).status == 200, "\(target)")
                let mistaken = api.client(key: "wrong")
                #expect(try await mistaken.get(target).status == 200, "\(target)")
            }
            #expect(try await api.client.get("/openapi.json").json["openapi"]?.string == "3.1.0")
        }
    }
}
