internal import EventLoop
internal import HTTP
internal import Jobs
internal import Synchronization
internal import Telemetry
internal import Values

/// `http`: a POST to a URL of the handlers file for each attempt. `WebhookOutcome` says what the answer means.
struct WebhookHandler: Handler {
    let uri: AbsoluteURI
    /// nil: the requests are not signed.
    let secret: [UInt8]?
    /// nil: only the job's own deadline counts.
    let timeout: Duration?
    let addresses: CheckedAddresses
    /// Shared by all webhooks of a file, so that they share its connections.
    let client: Client
    let loop: Loop

    func run(_ job: LeasedJob, stop: Cancellation, progress: @escaping ProgressSink) async -> AttemptResult {
        await withCheckedContinuation { continuation in
            let answer = FirstResult(continuation)
            let running = loop.spawn { answer.give(await exchange(job)) }
            // A lookup or a connection that is under way cannot be broken off, but need not be waited for: the
            // exchange ends by itself as soon as it could begin.
            stop.onRequest { _ in
                running.cancel()
                answer.give(.released)
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
            return .retry(error: "no answer within \(limit)", afterSeconds: nil)
        } catch let error as ClientError {
            return WebhookOutcome.result(of: error)
        } catch {
            return .retry(error: "\(error)", afterSeconds: nil)
        }
    }

    /// The shorter of the job's and the handler's.
    private func timeLimit(_ job: LeasedJob) -> Duration {
        let ofJob = job.timeoutSeconds > 0 ? Duration.seconds(job.timeoutSeconds) : nil
        return [ofJob, timeout].compactMap(\.self).min() ?? WebhookLimits.timeoutStandard
    }

    /// Tries one address after the other, as long as nothing was sent.
    private func send(
        _ request: ClientRequest, to addresses: [SocketAddress], deadline: MonotonicInstant
    ) async throws(ClientError) -> ClientResponse {
        var refusals: [String] = []
        for address in addresses where !Task.isCancelled {
            do throws(ClientError) {
                return try await client.send(request, to: Origin(uri, address: address), deadline: deadline)
            } catch {
                guard case .notConnected(let reason) = error else { throw error }
                refusals.append(reason)
            }
        }
        throw .notConnected(refusals.joined(separator: "; "))
    }
}

/// The result of an attempt that several may give: the first one counts.
private final class FirstResult: Sendable {
    private let continuation: Mutex<CheckedContinuation<AttemptResult, Never>?>

    init(_ continuation: CheckedContinuation<AttemptResult, Never>) {
        self.continuation = Mutex(continuation)
    }

    func give(_ result: AttemptResult) {
        let continuation = continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }
        continuation?.resume(returning: result)
    }
}
