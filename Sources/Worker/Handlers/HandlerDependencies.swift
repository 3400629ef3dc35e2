internal import EventLoop
internal import TLS

/// The parts of the worker that handlers need.
struct HandlerDependencies: Sendable {
    /// The loop on which the worker runs its attempts.
    let loop: Loop
    /// `WEBHOOK_ALLOW`.
    var webhookAllow = WebhookAllowList.none
    /// The certificate authorities that are trusted for webhook receivers.
    var webhookTrust = TLSClientContext.Trust.system
    /// The environment variables that `secret_env` can name.
    var environment: [String: String] = [:]
}
