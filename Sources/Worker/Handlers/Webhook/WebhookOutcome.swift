internal import HTTP
internal import Jobs
internal import Telemetry
internal import Values

/// What a receiver's answer, or the lack of one, means for the attempt. The rules of `docs/handlers.md`, "Webhooks".
/// The body of an answer that is no success is not repeated: the creator of a job need not see what the receiver says
/// to the operator.
enum WebhookOutcome {
    static func result(of response: ClientResponse, at now: WallInstant) -> AttemptResult {
        let error = "the receiver answered \(response.status)"
        switch response.status.code {
        case 200..<300:
            return StoredResult.success(from: response.body, named: "the answer's body")
        case 300..<400:
            return .failed(error: "\(error): redirections are not followed, so the handler must name the final URL")
        case 400..<500 where !isTemporary(response.status):
            return .failed(error: error)
        default:
            let wait = response.fields.text(.retryAfter).flatMap { RetryAfter.seconds($0, at: now) }
            return .retry(error: error, afterSeconds: wait)
        }
    }

    static func result(of error: ClientError) -> AttemptResult {
        switch error {
        case .bodyTooLarge(let bytesMax):
            // The receiver has done the work: doing it again would end in the same way.
            .failed(error: "the answer's body is longer than \(bytesMax) bytes")
        case .invalidRequest: .failed(error: "\(error)")
        case .notConnected, .timedOut, .disconnected, .invalidResponse: .retry(error: "\(error)", afterSeconds: nil)
        }
    }

    /// The 4xx that tell of a state which passes: request timeout, conflict, too early, too many requests.
    private static func isTemporary(_ status: Status) -> Bool {
        [408, 409, 425, 429].contains(status.code)
    }
}
