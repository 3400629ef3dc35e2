import JSON
import TestKit
import Testing

/// What a running api answers is what its document describes: no member more or less, of these types and enumerations.
@Suite struct ApiDocumentTests {
    /// An api, and its own description.
    private struct DescribedApi {
        let api: RunningApi
        let document: OpenAPISchemas

        init(_ api: RunningApi) async throws {
            self.api = api
            document = OpenAPISchemas(document: try await api.client.get("/openapi.json").json)
        }

        /// Sends a request, and compares the response with the document.
        @discardableResult
        func send(
            _ method: String, _ path: String, of pattern: String? = nil, _ body: String? = nil, _ status: Int = 200,
            client: HTTPTestClient? = nil, _ location: SourceLocation = #_sourceLocation
        ) async throws -> JSONValue {
            let headers = body == nil ? [] : [("Content-Type", "application/json")]
            let response = try await (client ?? api.client).request(
                method, path, headers: headers, body: body ?? "")
            #expect(response.status == status, "\(method) \(path): \(response.text)", sourceLocation: location)
            let name = pattern ?? String(path.prefix { $0 != "?" })
            let schema = document.response(method, name, status: response.status)
            let value = try response.json
            let differences = schema.map { document.differences(value, $0) } ?? ["the response is not described"]
            #expect(differences == [], "\(method) \(path) \(response.status)", sourceLocation: location)
            return value
        }
    }

    @Test func `jobs`() async throws {
        try await withApi { running, _ in
            let api = try await DescribedApi(running)
            let unique =
                #"{"type":"echo","queue":"mail","unique_key":"a","concurrency_key":"k","teardown":{"type":"b"}}"#
            let id = try #require(try await api.send("POST", "/api/jobs", unique, 201)["id"]?.string)
            try await api.send("POST", "/api/jobs", unique)
            try await api.send(
                "POST", "/api/jobs", #"{"type":"echo","backoff":{"kind":"fixed","base_seconds":1}}"#, 201)
            try await api.send("POST", "/api/jobs/batch", #"{"jobs":[{"type":"echo"},{"type":"echo"}]}"#, 201)
            try await api.send("GET", "/api/jobs?limit=1")
            let one = "/api/jobs/{id}"
            try await api.send("GET", "/api/jobs/\(id)", of: one)
            try await api.send("GET", "/api/jobs/\(id)/why", of: "\(one)/why")
            try await api.send(
                "POST", "/api/jobs/\(id)/cancel", of: "\(one)/cancel", #"{"reason":"r","updated_by":"ada"}"#)
            let events = try await api.send("GET", "/api/jobs/\(id)/events", of: "\(one)/events")
            #expect(events["events"]?.array?.count == 2)
            try await api.send("GET", "/api/jobs/\(id)/why", of: "\(one)/why")
            try await api.send("POST", "/api/jobs/\(id)/retry", of: "\(one)/retry")
            try await api.send("POST", "/api/jobs/cancel", #"{"filter":{"queue":"mail"}}"#)
            try await api.send("POST", "/api/jobs/retry", #"{"filter":{"queue":"mail"},"dry_run":true}"#)
        }
    }

    @Test func `queues and pauses`() async throws {
        try await withApi { running, _ in
            let api = try await DescribedApi(running)
            let settings = #"{"max_running":2,"rate_limit":{"count":1,"per_seconds":1},"retention":{"failed_hours":1}}"#
            try await api.send("PUT", "/api/queues/mail", of: "/api/queues/{name}", settings)
            try await api.send("GET", "/api/queues")
            let change = #"{"reason":"r","updated_by":"ada"}"#
            let pause = #"{"reason":"r","updated_by":"ada","cancel_running":true,"resume_at":"2099-01-01T00:00:00Z"}"#
            try await api.send("POST", "/api/worker/pause", pause)
            try await api.send("POST", "/api/queues/mail/pause", of: "/api/queues/{name}/pause", change)
            let outdated = #"{"reason":"r","updated_by":"ada","expected_version":7}"#
            let conflict = try await api.send("POST", "/api/worker/pause", outdated, 409)
            #expect(conflict["state"]?["version"] == 1)
            let id = try await running.createJob(#"{"type":"echo","queue":"mail"}"#)
            let reasons = try await api.send("GET", "/api/jobs/\(id)/why", of: "/api/jobs/{id}/why")["reasons"]
            #expect(reasons?[0]?["code"] == "paused")
            try await api.send("POST", "/api/worker/resume", change)
            try await api.send("POST", "/api/queues/mail/resume", of: "/api/queues/{name}/resume", change)
            try await api.send("POST", "/api/queues/a%20b/pause", of: "/api/queues/{name}/pause", change, 404)
            try await api.send("GET", "/api/worker/control-state")
            try await api.send("GET", "/api/worker/control-history?limit=2")
        }
    }

    @Test func `pools and workers`() async throws {
        try await Swarm.use { swarm in
            try await swarm.put()
            _ = try await swarm.startMember(0)
            try await waitUntil("it has joined") { try await swarm.get()["members"]?.array?.count == 1 }
            let api = try await DescribedApi(swarm.api)
            let pool = "/api/pools/{name}"
            try await api.send("GET", "/api/pools")
            try await api.send("GET", "/api/pools/swarm", of: pool)
            try await api.send("GET", "/api/pools/swarm/assignments", of: "\(pool)/assignments")
            try await api.send("GET", "/api/pools/none", of: pool, nil, 404)
            let workers = try await api.send("GET", "/api/workers")
            #expect(workers["workers"]?.array?.count == 1)
            let state = try await api.send("GET", "/api/worker/control-state")
            #expect(state["workers"]?.array?.count == 1)
        }
    }

    @Test func `errors and probes`() async throws {
        try await withApi { running, _ in
            let api = try await DescribedApi(running)
            try await api.send("GET", "/health")
            try await api.send("GET", "/ready")
            try await api.send("POST", "/api/jobs", "{", 400)
            try await api.send("POST", "/api/jobs", "{}", 422)
            let large = #"{"type":"a","payload":"\#(String(repeating: "a", count: 1_048_577))"}"#
            try await api.send("POST", "/api/jobs", large, 413)
            try await api.send("POST", "/api/jobs/cancel", String(repeating: " ", count: 1_048_576), 413)
            try await api.send("GET", "/api/jobs?limit=0", nil, 400)
            try await api.send("GET", "/api/jobs", nil, 401, client: running.stranger)
            try await api.send("GET", "/api/jobs/none", of: "/api/jobs/{id}", nil, 404)
            let id = try await running.createJob()
            try await api.send("POST", "/api/jobs/\(id)/retry", of: "/api/jobs/{id}/retry", nil, 409)
        }
    }

    @Test func `every transition of a job's events is described`() async throws {
        try await Deployment.use { deployment in
            let api = try await DescribedApi(deployment.startApi())
            let described = api.document.schema("JobEvent")?["properties"]?["transition"]?["enum"]?.array ?? []
            let transitions = try await deployment.texts(
                "SELECT s.transition::text FROM state_machine s WHERE s.to_status IS NOT NULL ORDER BY s.transition")
            #expect(described.compactMap(\.string) == transitions && transitions.count > 20)
        }
    }
}
