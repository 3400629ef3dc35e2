import COpenSSL

/// SHA-256 (FIPS 180-4), of a whole message or of its parts.
///
///     var hash = SHA256()
///     hash.update(head.span)
///     hash.update(body.span)
///     let digest = hash.finalize()
public struct SHA256: ~Copyable {
    private let context: OpaquePointer

    public init() {
        context = HashCalls.newDigestContext()
        HashCalls.begin(context)
    }

    deinit {
        HashCalls.free(context)
    }

    /// Adds the next bytes of the message.
    public mutating func update(_ bytes: Span<UInt8>) {
        HashCalls.update(context, bytes)
    }

    /// Adds the next bytes of the message.
    public mutating func update(_ bytes: [UInt8]) {
        HashCalls.update(context, bytes.span)
    }

    /// The digest of the message.
    public consuming func finalize() -> Digest256 {
        HashCalls.finish(context)
    }

    /// The digest of a message in one call.
    public static func digest(of bytes: Span<UInt8>) -> Digest256 {
        HashCalls.digest(bytes)
    }

    /// The digest of a message in one call.
    public static func digest(of bytes: [UInt8]) -> Digest256 {
        HashCalls.digest(bytes.span)
    }
}
