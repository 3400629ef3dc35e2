import COpenSSL

/// HMAC with SHA-256 (RFC 2104, RFC 4231), of a whole message or of its parts.
///
/// Codes must be compared with `==` of `Digest256`, which takes constant time.
public struct HMACSHA256: ~Copyable {
    private let context: OpaquePointer

    /// - Parameter key: of any length; RFC 2104 section 3 recommends 32 bytes or more.
    public init(key: [UInt8]) {
        context = HashCalls.newAuthenticationContext()
        HashCalls.begin(context, key: key.span)
    }

    deinit {
        HashCalls.freeAuthentication(context)
    }

    /// Adds the next bytes of the message.
    public mutating func update(_ bytes: Span<UInt8>) {
        HashCalls.updateAuthentication(context, bytes)
    }

    /// Adds the next bytes of the message.
    public mutating func update(_ bytes: [UInt8]) {
        HashCalls.updateAuthentication(context, bytes.span)
    }

    /// The code of the message.
    public consuming func finalize() -> Digest256 {
        HashCalls.finishAuthentication(context)
    }

    /// The code of a message in one call.
    public static func authenticationCode(for bytes: [UInt8], key: [UInt8]) -> Digest256 {
        var code = HMACSHA256(key: key)
        code.update(bytes)
        return code.finalize()
    }
}
