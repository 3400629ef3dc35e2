internal import Jobs

/// All limits of webhooks.
enum WebhookLimits {
    /// Default deadline for name lookup, connection, TLS handshake, request and response together, if neither the job
    /// nor the handler has a timeout.
    static let timeoutStandard = Duration.seconds(300)
    /// Deadline for the connection and the TLS handshake, within that.
    static let connectTimeout = Duration.seconds(10)
    /// Lifetime of the checked addresses of a host. Short, because the addresses of a name may change; not zero,
    /// because a thousand jobs per second would otherwise need a thousand lookups per second.
    static let addressLifetime = Duration.seconds(10)
    /// Maximum wait that a receiver can request with `Retry-After`.
    static let retryAfterSecondsMax = 86_400.0
    /// Maximum length of a response body, which becomes the result.
    static let responseBytesMax = JobLimits.resultBytesMax
    /// Minimum length of the signing secret; the API key has the same minimum.
    static let secretCharactersMin = 32
}
