import JSON
import TestKit

/// Jobs, as a client of the api sees them.
extension RunningApi {
    /// Creates a job, and returns its id.
    @discardableResult
    func post(_ job: JSONValue) async throws -> String {
        try await createJob(job.text)
    }

    /// Creates `count` equal jobs, up to a thousand with each request.
    func post(_ count: Int, of job: JSONValue) async throws {
        var left = count
        while left > 0 {
            let jobs = JSONValue.array(Array(repeating: job, count: min(left, 1_000)))
            let response = try await client.post("/api/jobs/batch", (["jobs": jobs] as JSONValue).text)
            guard response.status == 201 else {
                throw UnexpectedAnswer(description: "POST /api/jobs/batch: \(response.status) \(response.text)")
            }
            left -= 1_000
        }
    }

    func job(_ id: String) async throws -> JSONValue {
        let response = try await client.get("/api/jobs/\(id)")
        guard response.status == 200 else {
            throw UnexpectedAnswer(description: "GET /api/jobs/\(id): \(response.status) \(response.text)")
        }
        return try JSONValue(parsing: response.body)
    }

    /// Waits until the job has this status, and returns it.
    @discardableResult
    func wait(for id: String, toBe status: String, within duration: Duration = .seconds(20)) async throws -> JSONValue {
        try await waitFor("job \(id) is \(status)", within: duration) {
            let job = try await job(id)
            // `nil` alone would be a JSON null.
            return job["status"]?.string == status ? job : JSONValue?.none
        }
    }

    /// The current metrics page.
    func metrics() async throws -> MetricValues {
        MetricValues(try await client.get("/metrics").text)
    }
}
