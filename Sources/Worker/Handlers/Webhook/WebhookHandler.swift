internal import EventLoop
internal import HTTP
internal import Jobs
internal import Synchronization
internal import Telemetry
internal import Values

/// `http`: one POST for each attempt, to the URL in the handlers file. `WebhookOutcome` converts the response to the
/// result of the attempt.
struct WebhookHandler: Handler {
    let uri: AbsoluteURI
    /// nil: the requests are not signed.
    let secret: [UInt8]?
    /// Deadline of one attempt; nil: only the deadline of the job applies.
    let timeout: Duration?
    var takeover = Takeover.heartbeat
    let addresses: CheckedAddresses
    /// Shared by all webhooks of a file, with its connections.
    let client: Client
    let loop: Loop

    func run(_ job: LeasedJob, cancellation: Cancellation, progress: @escaping ProgressSink) async -> AttemptResult {
        await withCheckedContinuation { continuation in
            let first = FirstResult(continuation)
            let running = loop.spawn { first.resume(with: await exchange(job)) }
            // A lookup or a connection attempt cannot be interrupted. The attempt does not wait for it: the exchange
            // ends on its own before it sends anything.
            cancellation.onRequest { _ in
                running.cancel()
                first.resume(with: .released)
            }
        }
    }

    private func exchange(_ job: LeasedJob) async -> AttemptResult {
        let limit = timeLimit(job)
        let deadline = MonotonicInstant.now() + limit
        do {
            let addresses = try await addresses.addresses()
            let request = try WebhookRequest.make(for: job, target: uri.target, secret: secret, at: .now())
            let response = try await send(request, to: addresses, deadline: deadline)
            return WebhookOutcome.result(of: response, at: .now())
        } catch ClientError.timedOut {
            return .retry(error: "no response within \(limit)", afterSeconds: nil)
        } catch let error as ClientError {
            return WebhookOutcome.result(of: error)
        } catch {
            return .retry(error: "\(error)", afterSeconds: nil)
        }
    }

    /// The shorter of the job's and the handler's timeout.
    private func timeLimit(_ job: LeasedJob) -> Duration {
        let ofJob = job.timeoutSeconds > 0 ? Duration.seconds(job.timeoutSeconds) : nil
        return [ofJob, timeout].compactMap(\.self).min() ?? WebhookLimits.timeoutStandard
    }

    /// Tries one address after the other until a connection succeeds.
    private func send(
        _ request: ClientRequest, to addresses: [SocketAddress], deadline: MonotonicInstant
    ) async throws(ClientError) -> ClientResponse {
        var failures: [String] = []
        for address in addresses where !Task.isCancelled {
            do throws(ClientError) {
                return try await client.send(request, to: Origin(uri, address: address), deadline: deadline)
            } catch {
                guard case .notConnected(let reason) = error else { throw error }
                failures.append(reason)
            }
        }
        throw .notConnected(failures.joined(separator: "; "))
    }
}

/// A continuation that may be resumed more than once: the first result counts.
private final class FirstResult: Sendable {
    private let continuation: Mutex<CheckedContinuation<AttemptResult, Never>?>

    init(_ continuation: CheckedContinuation<AttemptResult, Never>) {
        self.continuation = Mutex(continuation)
    }

    func resume(with result: AttemptResult) {
        let continuation = continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }
        continuation?.resume(returning: result)
    }
}
