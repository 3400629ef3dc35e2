internal import Jobs

/// All bounds of webhooks.
enum WebhookLimits {
    /// For the whole of name resolution, connection, TLS handshake, request and answer, when neither the job nor the
    /// handler sets a deadline.
    static let timeoutStandard = Duration.seconds(300)
    /// For the connection and the TLS handshake, within that.
    static let connectTimeout = Duration.seconds(10)
    /// How long the checked addresses of a host are used before its name is looked up again. Short, because a name
    /// may move; but not nothing, or else a thousand jobs a second would be as many lookups.
    static let addressLifetime = Duration.seconds(10)
    /// Of the wait that a receiver may ask for by `Retry-After`.
    static let retryAfterSecondsMax = 86_400.0
    /// Of an answer that becomes the result.
    static let answerBytesMax = JobLimits.resultBytesMax
    /// Of the signing secret, as for the key of the API.
    static let secretCharactersMin = 32
}
