import JSON
import TestKit
import Testing

@Suite struct UniquenessTests {
    @Test func `a job whose key is taken is answered with the job that exists`() async throws {
        try await withApi { api, _ in
            let first = try await api.client.post("/api/jobs", #"{"type":"echo","unique_key":"k","payload":1}"#)
            #expect(first.status == 201)
            #expect(try first.json["unique_key"]?.string == "k")
            let again = try await api.client.post(
                "/api/jobs", #"{"type":"echo","unique_key":"k","unique_for":60,"payload":2,"priority":5}"#)
            #expect(again.status == 200 && again["Location"] == nil)
            #expect(again.text == first.text)

            let bulk = try await api.client.post(
                "/api/jobs/batch",
                #"{"jobs":[{"type":"echo","unique_key":"k"},{"type":"echo","unique_key":"n"},"#
                    + #"{"type":"echo","unique_key":"n"}]}"#
            )
            #expect(bulk.status == 201)
            let jobs = try #require(try bulk.json["jobs"])
            #expect(jobs[0]?["id"] == (try first.json["id"]) && jobs[0]?["existing"] == true)
            #expect(jobs[1]?["existing"] == false)
            #expect(jobs[2]?["id"] == jobs[1]?["id"] && jobs[2]?["existing"] == true)
        }
    }

    @Test func `a retry for which the key is gone names the job that has it`() async throws {
        try await withApi { api, _ in
            let old = try await api.createJob(#"{"type":"echo","unique_key":"k"}"#)
            _ = try await api.client.post("/api/jobs/\(old)/cancel", "")
            let new = try await api.createJob(#"{"type":"echo","unique_key":"k"}"#)
            let refused = try await api.client.post("/api/jobs/\(old)/retry", "")
            #expect(refused.status == 409)
            #expect(try refused.json["existing_job"]?.string == new)
            #expect(try refused.json["job_status"]?.string == "cancelled")
        }
    }
}
