/// A request that a client may send again, and that is to be done once: within 24 hours the same key brings the same
/// answer, and no further job.
public struct IdempotentRequest: Hashable, Sendable {
    /// Made up by the client, 1 to `JobLimits.keyBytesMax` printable ASCII characters.
    public let key: String
    /// Of everything that the request asks for: the key goes with no other.
    public let digest: [UInt8]

    public init(key: String, digest: [UInt8]) {
        self.key = key
        self.digest = digest
    }
}
