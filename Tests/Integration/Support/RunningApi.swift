import JSON
import TestKit

/// An api that runs, and a client of it.
struct RunningApi: Sendable {
    let service: ServiceProcess
    let client: HTTPTestClient

    /// Returns when it would be sent requests by a load balancer.
    func waitUntilReady() async throws {
        try await waitUntil("the api is ready", within: .seconds(30)) {
            (try? await client.get("/ready").status) == 200
        }
    }

    // MARK: Jobs

    /// Creates a job, and returns its id.
    @discardableResult
    func post(_ job: JSONValue) async throws -> String {
        try await post(text: job.text)
    }

    /// Creates a job as it is written, and returns its id.
    func post(text: String) async throws -> String {
        let response = try await client.post("/api/jobs", text)
        guard response.status == 201, let id = try JSONValue(parsing: response.body)["id"]?.string else {
            throw UnexpectedAnswer(description: "POST /api/jobs: \(response.status) \(response.text)")
        }
        return id
    }

    /// Creates so many equal jobs, a thousand with each request.
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

    /// The job, once it has this status.
    @discardableResult
    func wait(for id: String, toBe status: String, within duration: Duration = .seconds(20)) async throws -> JSONValue {
        try await waitFor("job \(id) is \(status)", within: duration) {
            let job = try await job(id)
            // `nil` alone would be a JSON null.
            return job["status"]?.string == status ? job : JSONValue?.none
        }
    }

    // MARK: Metrics

    func metrics() async throws -> MetricValues {
        MetricValues(try await client.get("/metrics").text)
    }
}

struct UnexpectedAnswer: Error, CustomStringConvertible {
    let description: String
}

/// The samples of a metrics page (Prometheus text 0.0.4).
struct MetricValues {
    private var samples: [(series: Substring, value: Double)] = []

    init(_ page: String) {
        for line in page.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
                continue
            }
            samples.append((line[..<space], value))
        }
    }

    /// Of all series of a metric that have this text in their labels; nil when there is none.
    func sum(_ name: String, _ label: String = "") -> Double? {
        let found = samples.filter { sample in
            let end = sample.series.firstIndex(of: "{") ?? sample.series.endIndex
            return sample.series[..<end] == name && (label.isEmpty || sample.series[end...].contains(label))
        }
        return found.isEmpty ? nil : found.reduce(0) { $0 + $1.value }
    }
}
