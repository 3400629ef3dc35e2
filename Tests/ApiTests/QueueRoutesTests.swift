import JSON
import Jobs
import TestKit
import Testing
import Values

@Suite struct QueueRoutesTests {
    @Test func `the limits of a queue are replaced as a whole, idempotently, and are shown`() async throws {
        try await withApi { api, _ in
            let settings = #"""
                "max_running":5,"max_running_per_key":2,"rate_limit":{"count":90,"per_seconds":60.0,"burst":1},
                "retention":{"succeeded_hours":1,"failed_hours":null,"cancelled_hours":0},"takeover":"lease"
                """#
            for _ in 0..<2 {
                let response = try await api.client.request("PUT", "/api/queues/mail%2Fhigh", body: "{\(settings)}")
                #expect(response.status == 200, "\(response.text)")
                #expect(
                    try response.json["name"]?.string == "mail/high" && response.json["depth"]?["queued"]?.integer == 0)
                let wanted = try JSONValue(parsing: Array("{\(settings)}".utf8))
                for member in wanted.object ?? [] { #expect(try response.json[member.name] == member.value) }
                #expect(try await api.client.get("/api/queues").json["queues"]?[0] == response.json)
            }
            let bare = try await api.client.request(
                "PUT", "/api/queues/mail%2Fhigh",
                body: #"{"rate_limit":{"count":3,"per_seconds":0.5,"burst":null},"retention":null,"max_running":null}"#)
            #expect(try bare.json["max_running"] == .null && bare.json["max_running_per_key"] == .null)
            #expect(try bare.json["rate_limit"]?["burst"]?.integer == 3)
            #expect(try bare.json["retention"]?["succeeded_hours"] == .null)
            #expect(try bare.json["takeover"] == "heartbeat")
        }
    }

    @Test func `all errors of a queue's settings are reported`() async throws {
        try await withApi { api, fixture in
            let refused = try await api.client.request(
                "PUT", "/api/queues/mail",
                body: #"""
                    {"max_running":0,"max_running_per_key":1.5,"rate_limit":{"per_seconds":0,"colour":1},
                     "retention":{"failed_hours":-1,"kept":true},"paused":false,"takeover":"never"}
                    """#)
            #expect(refused.status == 422)
            #expect(
                try refused.json["errors"]?.array?.compactMap { $0["pointer"]?.string } == [
                    "/max_running", "/max_running_per_key", "/rate_limit/per_seconds", "/rate_limit/colour",
                    "/rate_limit/count", "/retention/failed_hours", "/retention/kept", "/paused", "/takeover",
                ])
            let incomplete = try await api.client.request("PUT", "/api/queues/mail", body: #"{"rate_limit":{}}"#)
            #expect(try incomplete.json["errors"]?.array?.count == 2)
            #expect(try await api.client.request("PUT", "/api/queues/mail", body: "[]").status == 422)
            #expect(try await api.client.request("PUT", "/api/queues/a%20b", body: "{}").status == 400)
            #expect(try await fixture.count("queue") == 0)
        }
    }

    @Test func `a queue is removed when it has no jobs and is not paused`() async throws {
        try await withApi { api, fixture in
            _ = try await api.client.request("PUT", "/api/queues/mail%2Fhigh", body: #"{"max_running":5}"#)
            let id = try await fixture.create { $0.queue = "mail/high" }
            try await fixture.enqueue(2) {
                $0.queue = "mail/high"
                $0.runAt = .now() + .seconds(600)
            }
            let refused = try await api.client.request("DELETE", "/api/queues/mail%2Fhigh")
            #expect(try refused.status == 409 && refused.json["jobs"]?.integer == 3)
            #expect(try refused.json["detail"]?.string == "the queue has jobs: 2 scheduled, 1 queued")
            _ = try await fixture.jobs.cancel(id)
            try await fixture.sql("TRUNCATE job, outcome, scheduled, transition_delta")

            let pause = #"{"reason":"tests","updated_by":"ada"}"#
            _ = try await api.client.request("POST", "/api/queues/mail%2Fhigh/pause", body: pause)
            let paused = try await api.client.request("DELETE", "/api/queues/mail%2Fhigh")
            #expect(try paused.status == 409 && paused.json["detail"]?.string == "the queue is paused; resume it first")
            _ = try await api.client.request("POST", "/api/queues/mail%2Fhigh/resume", body: pause)

            #expect(try await api.client.request("DELETE", "/api/queues/mail%2Fhigh?force=true").status == 400)
            #expect(try await api.client.request("DELETE", "/api/queues/mail%2Fhigh").status == 204)
            for name in ["mail%2Fhigh", "other", "a%20b"] {
                #expect(try await api.client.request("DELETE", "/api/queues/\(name)").status == 404, "\(name)")
            }
            _ = try await api.createJob(#"{"type":"echo","queue":"mail/high"}"#)
            let again = try await api.client.get("/api/queues/mail%2Fhigh")
            #expect(try again.json["max_running"] == .null && again.json["depth"]?["queued"]?.integer == 1)
        }
    }

    @Test func `queues are listed in pages, and shown one by one`() async throws {
        try await withApi { api, _ in
            for name in ["a", "b", "b.c", "d"] {
                _ = try await api.createJob(#"{"type":"echo","queue":"\#(name)"}"#)
            }
            let first = try await api.client.get("/api/queues?limit=3").json
            #expect(first["queues"]?.array?.compactMap { $0["name"]?.string } == ["a", "b", "b.c"])
            let cursor = try #require(first["next_cursor"]?.string)
            let second = try await api.client.get("/api/queues?limit=3&cursor=\(cursor)").json
            #expect(second["queues"]?.array?.compactMap { $0["name"]?.string } == ["d"])
            #expect(second["next_cursor"] == .null)
            let some = try await api.client.get("/api/queues?prefix=b").json
            #expect(some["queues"]?.array?.compactMap { $0["name"]?.string } == ["b", "b.c"])
            for query in ["limit=0", "limit=501", "cursor=b", "cursor=q", "prefix=%20", "name=b"] {
                #expect(try await api.client.get("/api/queues?\(query)").status == 400, "\(query)")
            }

            let shown = try await api.client.get("/api/queues/b.c")
            #expect(try shown.status == 200 && shown.json["name"]?.string == "b.c")
            #expect(try shown.json["depth"]?["queued"]?.integer == 1)
            for name in ["c", "a%20b"] {
                #expect(try await api.client.get("/api/queues/\(name)").status == 404)
            }
            #expect(try await api.client.get("/api/queues/a?limit=1").status == 400)
        }
    }
}
