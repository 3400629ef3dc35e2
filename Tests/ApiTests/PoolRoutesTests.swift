import JSON
import TestKit
import Testing

@Suite struct PoolRoutesTests {
    @Test func `all errors of a pool are answered at once, each with its place`() async throws {
        try await withApi { api, _ in
            let body = #"{"size":0,"workloads":["a b","c","c",7],"handler":"","sise":1,"updated_by":""}"#
            let response = try await api.client.request("PUT", "/api/pools/swarm", body: body)
            #expect(response.status == 422)
            let errors = try response.json["errors"]?.array ?? []
            #expect(
                errors.compactMap { $0["pointer"]?.string } == [
                    "/size", "/workloads/0", "/workloads/2", "/workloads/3", "/handler", "/sise", "/updated_by",
                ])
            let missing = try await api.client.request("PUT", "/api/pools/swarm", body: "{}")
            #expect(try missing.json["errors"]?.array?.count == 3)
            #expect(try await api.client.request("PUT", "/api/pools/a%20b", body: "{}").status == 400)
            for (method, path) in [
                ("GET", ""), ("DELETE", ""), ("GET", "/assignments"), ("GET", "/config.yml"),
            ] {
                let answer = try await api.client.request(method, "/api/pools/swarm\(path)")
                #expect(answer.status == 404 && answer["Content-Type"] == "application/problem+json")
                #expect(try await api.stranger.request(method, "/api/pools/swarm\(path)").status == 401)
            }
            #expect(try await api.client.get("/api/pools?x=1").status == 400)
            let empty = #"{"size":"auto","workloads":[],"handler":"stream"}"#
            let made = try await api.client.request("PUT", "/api/pools/a%2Fb", body: empty)
            #expect(try made.json["name"] == "a/b" && made.json["size"] == "auto")
            #expect(try await api.client.get("/api/pools/a%2Fb/config.yml").text == "workloads: {}")
        }
    }
}
