import EventLoop
import JSON
import Postgres
import TestKit
import Testing
import Values

/// A running `jobqueue-api`, and a client with its key.
struct RunningApi: Sendable {
    static let key = "integration-key-0123456789abcdef"

    let service: ServiceProcess
    let port: UInt16

    var client: HTTPTestClient { HTTPTestClient(port: port, key: Self.key) }

    /// A client without a key.
    var stranger: HTTPTestClient { HTTPTestClient(port: port) }

    /// Creates a job, and returns its id.
    func createJob(_ body: String = #"{"type":"echo"}"#) async throws -> String {
        try await client.createJob(body)
    }

    /// Waits until `/ready` responds with this status.
    func waitUntilReady(_ status: Int = 200, within duration: Duration = .seconds(20)) async throws {
        let deadline = MonotonicInstant.now() + duration
        while true {
            let answer = try await stranger.get("/ready")
            if answer.status == status { return }
            try #require(MonotonicInstant.now() < deadline, "/ready is still \(answer.status): \(answer.text)")
            try await TestLoop.run { try await TestLoop.shared.sleep(for: .milliseconds(20)) }
        }
    }
}

extension Services {
    /// Starts an api on a free port, and returns when it listens.
    func startApi(_ databaseURL: String, _ settings: [String: String] = [:]) async throws -> RunningApi {
        let environment = [
            "DATABASE_URL": databaseURL, "API_SECRET_KEY": RunningApi.key, "API_HOST": "127.0.0.1", "API_PORT": "0",
            "API_THREADS": "1", "DATABASE_POOL_SIZE": "4",
        ]
        let service = try await start("jobqueue-api", environment: environment.merging(settings) { $1 })
        let line = try await service.waitForLine(containing: "\"message\":\"listening\"")
        let address = try #require(try JSONValue(parsing: line)["address"]?.string)
        let port = try #require(address.split(separator: ":").last.flatMap { UInt16($0) })
        return RunningApi(service: service, port: port)
    }
}

/// Runs `body` with an api on a migrated database of its own.
func withApi(
    _ settings: [String: String] = [:], _ body: @Sendable (RunningApi, TestDatabase) async throws -> Void
) async throws {
    try await Deployment.use { deployment in
        let api = try await deployment.services.startApi(deployment.database.url, settings)
        try await body(api, deployment.database)
    }
}
