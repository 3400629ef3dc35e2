import COpenSSL

/// SHA-256 (FIPS 180-4), at once or piece by piece.
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

    /// Takes in the next bytes of the message.
    public mutating func update(_ bytes: Span<UInt8>) {
        HashCalls.update(context, bytes)
    }

    /// Takes in the next bytes of the message.
    public mutating func update(_ bytes: [UInt8]) {
        HashCalls.update(context, bytes.span)
    }

    /// The digest of all that was taken in.
    public consuming func finalize() -> Digest256 {
        HashCalls.finish(context)
    }

    /// The digest of one message.
    public static func digest(of bytes: Span<UInt8>) -> Digest256 {
        HashCalls.digest(bytes)
    }

    /// The digest of one message.
    public static func digest(of bytes: [UInt8]) -> Digest256 {
        HashCalls.digest(bytes.span)
    }
}
