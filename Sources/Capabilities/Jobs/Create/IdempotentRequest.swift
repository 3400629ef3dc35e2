/// A request that a client may repeat, and that is executed once: within 24 hours the same key returns the same answer
/// and creates no further job.
public struct IdempotentRequest: Hashable, Sendable {
    /// Chosen by the client, 1 to `JobLimits.keyBytesMax` printable ASCII characters.
    public let key: String
    /// Digest of the operation and the body: a request with the same key and another digest is rejected.
    public let digest: [UInt8]

    public init(key: String, digest: [UInt8]) {
        self.key = key
        self.digest = digest
    }
}
