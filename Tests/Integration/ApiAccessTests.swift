import EventLoop
import JSON
import TestKit
import Testing

/// Access control: without the key only the public operations.
@Suite struct ApiAccessTests {
    private static let closed = [
        ("POST", "/api/jobs"), ("GET", "/api/jobs"), ("POST", "/api/jobs/batch"),
        ("GET", "/api/jobs/01a1f9d1-600b-7408-9921-518e3543629d"),
        ("POST", "/api/jobs/01a1f9d1-600b-7408-9921-518e3543629d/cancel"),
        ("POST", "/api/jobs/01a1f9d1-600b-7408-9921-518e3543629d/retry"), ("GET", "/api/queues"),
        ("GET", "/api/workers"), ("GET", "/openapi.json"), ("HEAD", "/api/jobs"),
    ]

    @Test func `every operation except the public ones needs the exact key`() async throws {
        try await withApi { api, database in
            let key = RunningApi.key
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
            #expect(try await database.integer("SELECT count(*) FROM job") == 0)
            try await api.waitUntilReady()
            for target in ["/health", "/ready", "/metrics"] {
                #expect(try await api.stranger.get(target).status == 200, "\(target)")
                let mistaken = HTTPTestClient(port: api.port, key: "wrong")
                #expect(try await mistaken.get(target).status == 200, "\(target)")
            }
            #expect(try await api.client.get("/openapi.json").json["openapi"]?.string == "3.1.0")
        }
    }

    @Test func `no secret is shown, and no client value can forge a log line`() async throws {
        let database = try await TestDatabase.migrated()
        try await withServices { services in
            let url = database.url.replacing("postgres@", with: "postgres:pw-canary@", maxReplacements: 1)
            let api = try await services.startApi(url, ["LOG_LEVEL": "TRACE"])
            let forged = #"{"type":"a","tags":["x\n{\"level\":\"ERROR\",\"message\":\"forged\"}"]}"#
            #expect(try await api.client.post("/api/jobs", forged).status == 422)
            _ = try await api.client.get("/api/jobs?tag=a%0d%0aforged%1b%5b31m")
            _ = try await api.stranger.request("GET", "/api/jobs", headers: [("Authorization", "Bearer guess-canary")])
            let page = try await api.stranger.get("/metrics").text
            api.service.signal(Signals.terminate)
            #expect(try await api.service.waitForExit() == .code(0))
            for text in [page] + api.service.lines {
                #expect(!text.contains(RunningApi.key) && !text.contains("canary"), "\(text)")
            }
            for line in api.service.lines {
                #expect(line.hasPrefix(#"{"timestamp":""#) && line.hasSuffix("}"), "\(line)")
            }
        }
    }
}
