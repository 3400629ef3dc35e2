import EventLoop
import JSON
import Synchronization
import TestKit
import Values

/// The first witness: the acknowledgements that the clients received from the api.
final class ChaosPromises: Sendable {
    private struct State {
        var acknowledged: [String: Int] = [:]
        var doubts: [Int: Int] = [:]
        var postCount = 0
    }

    private let state = Mutex(State())

    /// Records a 201: the number of the job by its id.
    func acknowledge(_ id: String, of number: Int) {
        state.withLock { $0.acknowledged[id] = number }
    }

    /// Records a request that may have created a job without an acknowledgement.
    func doubt(_ number: Int) {
        state.withLock { $0.doubts[number, default: 0] += 1 }
    }

    func countPost() {
        state.withLock { $0.postCount += 1 }
    }

    var acknowledged: [String: Int] { state.withLock { $0.acknowledged } }
    var doubts: [Int: Int] { state.withLock { $0.doubts } }
    var postCount: Int { state.withLock { $0.postCount } }
}

/// A client that posts jobs in sequence over a persistent connection, and repeats each until it is acknowledged.
///
/// The outcome of a request is unknown when the connection ends or times out after the request was sent, and after a
/// 503 with `"outcome": "unknown"`. Any other 503 means that nothing was stored.
struct ChaosClient {
    let client: HTTPTestClient
    let promises: ChaosPromises
    private var connection: HTTPTestConnection?

    init(_ client: HTTPTestClient, _ promises: ChaosPromises) {
        self.client = client
        self.promises = promises
    }

    /// Posts jobs with a pause after each, until all are acknowledged or `deadline` passes.
    mutating func post(_ jobs: [ChaosJob], pause: Duration, before deadline: MonotonicInstant) async throws {
        for job in jobs {
            while try await !post(job) {
                guard MonotonicInstant.now() < deadline else {
                    throw NotInTime(description: "the api does not acknowledge job number \(job.number)")
                }
                try await Task.sleep(for: .milliseconds(50))
            }
            try await Task.sleep(for: pause)
        }
        await connection?.close()
    }

    /// Whether the job was acknowledged.
    private mutating func post(_ job: ChaosJob) async throws -> Bool {
        guard let connection = await openConnection() else { return false }
        let response: HTTPTestResponse
        do {
            promises.countPost()
            try await connection.send(client.message("POST", "/api/jobs", body: job.body))
            response = try await connection.response(to: "POST", within: .seconds(10))
        } catch {
            promises.doubt(job.number)
            await drop(connection)
            return false
        }
        if response["connection"]?.lowercased() == "close" { await drop(connection) }
        return try judge(response, of: job)
    }

    private func judge(_ response: HTTPTestResponse, of job: ChaosJob) throws -> Bool {
        let body = try JSONValue(parsing: response.body)
        switch response.status {
        case 201:
            guard let id = body["id"]?.string else { throw UnexpectedAnswer(description: "201 \(body.text)") }
            promises.acknowledge(id, of: job.number)
            return true
        case 503:
            if body["outcome"] == "unknown" { promises.doubt(job.number) }
            return false
        default:
            throw UnexpectedAnswer(description: "POST /api/jobs: \(response.status) \(body.text)")
        }
    }

    private mutating func openConnection() async -> HTTPTestConnection? {
        if connection == nil { connection = try? await client.connect() }
        return connection
    }

    private mutating func drop(_ connection: HTTPTestConnection) async {
        await connection.close()
        self.connection = nil
    }
}
