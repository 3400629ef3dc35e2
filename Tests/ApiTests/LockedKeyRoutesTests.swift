import EventLoop
import JSON
import Jobs
import Postgres
import TestKit
import Testing
import Values

/// Requests that meet an open transaction of another client.
@Suite struct LockedKeyRoutesTests {
    @Test func `an open transaction with a key delays the requests for that key, and no others`() async throws {
        try await withApi { api, fixture in
            _ = try await api.createJob()
            let waiting = try await fixture.general.transaction { transaction in
                _ = try await transaction.execute(sql: #"SELECT enqueue('echo', 'null', '{"unique_key":"k"}')"#)
                let waiting = (0..<20).map { _ in
                    Task(executorPreference: TestLoop.shared) {
                        try await api.client.post("/api/jobs", #"{"type":"echo","unique_key":"k"}"#).status
                    }
                }
                try await fixture.waitUntilBlocked()
                for number in 0..<20 {
                    let start = MonotonicInstant.now()
                    _ = try await api.createJob()
                    _ = try await api.createJob(#"{"type":"echo","unique_key":"other \#(number)"}"#)
                    #expect(MonotonicInstant.now() - start < .seconds(3))
                }
                return waiting
            }
            for task in waiting { #expect(try await task.value == 200) }
        }
    }

    @Test func `a request whose key stays locked gets 503, which says so, and creates nothing`() async throws {
        try await withApi { api, fixture in
            try await fixture.general.transaction { transaction in
                _ = try await transaction.execute(sql: #"SELECT enqueue('echo', 'null', '{"unique_key":"k"}')"#)
                async let single = api.client.post("/api/jobs", #"{"type":"echo","unique_key":"k"}"#)
                async let bulk = api.client.post(
                    "/api/jobs/batch", #"{"jobs":[{"type":"echo"},{"type":"echo","unique_key":"k"}]}"#)
                for response in try await [single, bulk] {
                    #expect(response.status == 503)
                    #expect(response["Retry-After"] == "2")
                    #expect(
                        try response.json["detail"]?.string
                            == "an open transaction of another client has locked the `unique_key` of this request; "
                            + "nothing was done")
                    #expect(try response.json["outcome"] == nil)
                }
            }
            #expect(try await fixture.count("job") == 1)
        }
    }
}
