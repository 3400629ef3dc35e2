internal import HTTP
internal import Jobs
internal import Telemetry
internal import Values

/// The result of an attempt from the response of a receiver, or from the lack of one. `docs/handlers.md`, "Webhooks",
/// has the rules. The stored error never contains the body of a response: it is for the operator, and the creator of
/// the job must not see it.
enum WebhookOutcome {
    static func result(of response: ClientResponse, at now: WallInstant) -> AttemptResult {
        let error = "the receiver responded with \(response.status)"
        switch response.status.code {
        case 200..<300:
            return StoredResult.success(from: response.body, named: "the response body")
        case 300..<400:
            return .failed(error: "\(error): redirections are not followed; the handler must name the final URL")
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
            // The receiver has done the work, and a retry would end in the same way.
            .failed(error: "the response body is longer than \(bytesMax) bytes")
        case .invalidRequest: .failed(error: "\(error)")
        case .notConnected, .timedOut, .disconnected, .invalidResponse: .retry(error: "\(error)", afterSeconds: nil)
        }
    }

    /// The temporary ones of the 4xx: request timeout, conflict, too early, too many requests.
    private static func isTemporary(_ status: Status) -> Bool {
        [408, 409, 425, 429].contains(status.code)
    }
}
