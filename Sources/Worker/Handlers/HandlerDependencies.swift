internal import EventLoop
internal import TLS

/// What handlers need of the worker that they run in.
struct HandlerDependencies: Sendable {
    /// The loop on which the worker runs its attempts.
    let loop: Loop
    /// `WEBHOOK_ALLOW`.
    var webhookAllow = WebhookAllowList.none
    /// Whose certificates receivers of webhooks may have.
    var webhookTrust = TLSClientContext.Trust.system
    /// Where `secret_env` is looked up.
    var environment: [String: String] = [:]
}
