import JSON
import TestKit
import Testing

@Suite struct ApiJobsTests {
    @Test func `jobs that are posted at the same time are all stored, each answered for itself`() async throws {
        try await withApi(["API_THREADS": "2", "DATABASE_POOL_SIZE": "8"]) { api, database in
            let ids = try await withThrowingTaskGroup(of: (Int, String).self) { group in
                for number in 0..<200 {
                    group.addTask { (number, try await api.createJob(#"{"type":"t","payload":\#(number)}"#)) }
                }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            #expect(Set(ids.values).count == 200)
            #expect(try await database.integer("SELECT count(*) FROM jobs WHERE status = 'queued'") == 200)
            for number in stride(from: 0, to: 200, by: 37) {
                let id = try #require(ids[number])
                #expect(try await api.client.get("/api/jobs/\(id)").json["payload"]?.integer == number)
            }
        }
    }
}
