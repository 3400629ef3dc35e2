import JSON
import TestKit
import Testing

/// `GET /api/jobs/{id}/events` and `/why`.
@Suite struct JobHistoryRoutesTests {
    @Test func `events are listed in pages, with actor and reason`() async throws {
        try await withApi { api, _ in
            let id = try await api.createJob(#"{"type":"a","run_at":"2099-01-01T00:00:00Z"}"#)
            _ = try await api.client.post("/api/jobs/\(id)/cancel", #"{"updated_by":"ada","reason":"not \"now\""}"#)
            _ = try await api.client.post("/api/jobs/\(id)/retry", "{}")
            let all = try await api.client.get("/api/jobs/\(id)/events").json
            let events = try #require(all["events"]?.array)
            #expect(events.map { $0["transition"]?.string } == ["delayed", "cancelled_scheduled", "cancelled_retried"])
            #expect(events.map { $0["to"]?.string } == ["scheduled", "cancelled", "queued"])
            #expect(events[0]["from"] == .null && events[1]["from"]?.string == "scheduled")
            #expect(events[1]["actor"]?.string == "ada" && events[1]["reason"]?.string == "not \"now\"")
            #expect(events[2]["actor"]?.string == "api" && events[2]["reason"] == .null)
            #expect(all["next_cursor"] == .null)

            var paged: [JSONValue] = []
            var query = "limit=2"
            for _ in 0..<2 {
                let page = try await api.client.get("/api/jobs/\(id)/events?\(query)").json
                paged += page["events"]?.array ?? []
                query = "limit=2&cursor=\(page["next_cursor"]?.string ?? "none")"
            }
            #expect(paged == events && query.hasSuffix("none"))
            #expect(try await api.client.get("/api/jobs/\(id)/events?cursor=e7").json["events"]?.array == [])
        }
    }

    @Test func `an invalid query and an unknown job are errors`() async throws {
        try await withApi { api, _ in
            let id = try await api.createJob()
            for query in ["limit=0", "limit=1001", "cursor=7", "cursor=e", "page=2", "limit=1&limit=2"] {
                #expect(try await api.client.get("/api/jobs/\(id)/events?\(query)").status == 400, "\(query)")
            }
            #expect(try await api.client.get("/api/jobs/\(id)/why?verbose=1").status == 400)
            for story in ["events", "why"] {
                #expect(
                    try await api.client.get("/api/jobs/00000000-0000-7000-8000-000000000000/\(story)").status == 404)
                #expect(try await api.client.get("/api/jobs/nonsense/\(story)").status == 404)
            }
        }
    }

    @Test func `the reason why a job waits is shown as text and as a code`() async throws {
        try await withApi { api, _ in
            let id = try await api.createJob(#"{"type":"a","run_at":"2099-01-01T00:00:00Z"}"#)
            let why = try await api.client.get("/api/jobs/\(id)/why")
            #expect(
                why.text == #"""
                    {"id":"\#(id)","status":"scheduled","reasons":[{"code":"scheduled","detail":"it is scheduled for \#
                    2099-01-01T00:00:00.000000Z","run_at":"2099-01-01T00:00:00.000000Z"},\#
                    {"code":"no_worker_for_queue","detail":"no live worker takes the queue default"}]}
                    """#)
        }
    }
}
