import JSON
import TestKit
import Testing

/// `POST /api/jobs/cancel` and `/retry`.
@Suite struct BulkRoutesTests {
    @Test func `many jobs are previewed, cancelled, and redriven at a rate`() async throws {
        try await withApi { api, fixture in
            var ids: [String] = []
            for _ in 0..<3 { ids.append(try await api.createJob(#"{"type":"a","tags":["t"]}"#)) }
            _ = try await api.createJob(#"{"type":"b"}"#)
            let dry = try await api.client.post("/api/jobs/cancel", #"{"filter":{"tag":"t"},"dry_run":true,"limit":2}"#)
            let newest = #""\#(ids[2])","\#(ids[1])""#
            #expect(dry.text == #"{"matched":2,"changed":0,"locked":0,"dry_run":true,"more":true,"ids":[\#(newest)]}"#)
            let done = try await api.client.post("/api/jobs/cancel", #"{"filter":{"tag":"t"},"updated_by":"ada"}"#)
            #expect(
                done.text
                    == #"{"matched":3,"changed":3,"locked":0,"dry_run":false,"more":false,"#
                    + #""ids":[\#(newest),"\#(ids[0])"]}"#)
            #expect(try await api.client.get("/api/jobs/\(ids[0])").json["status"]?.string == "cancelled")

            let given = #"{"filter":{"ids":["\#(ids[0])","\#(ids[1])"]},"rate_per_second":0.01,"reason":"again"}"#
            let back = try await api.client.post("/api/jobs/retry", given)
            #expect(try back.json["changed"]?.integer == 2)
            let job = try await api.client.get("/api/jobs/\(ids[0])").json
            #expect(job["status"]?.string == "scheduled")
            let events = try await api.client.get("/api/jobs/\(ids[0])/events").json["events"]
            #expect(
                events?[2]?["transition"]?.string == "cancelled_redriven" && events?[2]?["reason"]?.string == "again")
            #expect(try await fixture.count("scheduled") == 2)
        }
    }

    @Test func `a bulk change needs a valid filter`() async throws {
        try await withApi { api, _ in
            _ = try await api.createJob()
            for verb in ["cancel", "retry"] {
                for body in ["{}", #"{"filter":{}}"#, #"{"filter":{"status":"succeeded"}}"#] {
                    #expect(try await api.client.post("/api/jobs/\(verb)", body).status == 422)
                }
                #expect(
                    try await api.client.post("/api/jobs/\(verb)?status=failed", #"{"filter":{"queue":"a"}}"#).status
                        == 400)
                #expect(try await api.client.get("/api/jobs/\(verb)").status == 404)
            }
            #expect(try await api.client.get("/api/queues").json["queues"]?[0]?["depth"]?["queued"]?.integer == 1)
        }
    }
}
