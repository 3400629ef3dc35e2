import COpenSSL

/// HMAC with SHA-256 (RFC 2104, RFC 4231), at once or piece by piece.
///
/// Compare codes with `Digest256`'s `==`, which takes constant time.
public struct HMACSHA256: ~Copyable {
    private let context: OpaquePointer

    /// - Parameter key: of any length; RFC 2104 section 3 asks for 32 bytes or more.
    public init(key: [UInt8]) {
        context = HashCalls.newAuthenticationContext()
        HashCalls.begin(context, key: key.span)
    }

    deinit {
        HashCalls.freeAuthentication(context)
    }

    /// Takes in the next bytes of the message.
    public mutating func update(_ bytes: Span<UInt8>) {
        HashCalls.updateAuthentication(context, bytes)
    }

    /// Takes in the next bytes of the message.
    public mutating func update(_ bytes: [UInt8]) {
        HashCalls.updateAuthentication(context, bytes.span)
    }

    /// The code of all that was taken in.
    public consuming func finalize() -> Digest256 {
        HashCalls.finishAuthentication(context)
    }

    /// The code of one message.
    public static func authenticationCode(for bytes: [UInt8], key: [UInt8]) -> Digest256 {
        var code = HMACSHA256(key: key)
        code.update(bytes)
        return code.finalize()
    }
}
