import EventLoop
import TestKit
import Testing

@Suite struct ApiAccessTests {
    @Test func `no secret is shown, and no value of a client's forges a line of the log`() async throws {
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
