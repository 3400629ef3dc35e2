import JSON

extension HTTPTestClient {
    /// Creates a job, and returns its id.
    @discardableResult
    public func createJob(_ body: String = #"{"type":"echo"}"#) async throws -> String {
        let response = try await post("/api/jobs", body)
        guard response.status == 201, let id = try response.json["id"]?.string else {
            throw UnexpectedAnswer(description: "POST /api/jobs: \(response.status) \(response.text)")
        }
        return id
    }
}

/// An answer with another status than the test needs.
public struct UnexpectedAnswer: Error, CustomStringConvertible {
    public let description: String

    public init(description: String) {
        self.description = description
    }
}
