/// The settings of TLS client sessions: trusted authorities and protocol rules.
///
/// Every session verifies the server's certificate and its name; this cannot be disabled. TLS 1.2 and 1.3, with forward
/// secrecy and authenticated encryption only; ALPN `http/1.1`. May be used from any thread.
public final class TLSClientContext: Sendable {
    /// The authorities that may have signed a server's certificate.
    public enum Trust: Hashable, Sendable {
        /// The authorities of the system: `/etc/ssl/certs`, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
        case system
        /// Only the certificates in this PEM file.
        case file(String)
    }

    private let context: SessionContext

    /// - Throws: if the trust file cannot be read, or contains no certificate.
    public init(trust: Trust) throws(TLSFileError) {
        switch trust {
        case .system:
            context = try TLSClientContext.connecting(trusting: nil, from: "the system's trusted certificates")
        case .file(let path):
            let certificates = try Certificate.readAll(from: PEMFile(path: path))
            context = try TLSClientContext.connecting(trusting: certificates, from: path)
        }
    }

    private static func connecting(
        trusting certificates: [Certificate]?, from source: String
    ) throws(TLSFileError) -> SessionContext {
        do {
            return try SessionContext.connecting(trusting: certificates)
        } catch {
            throw TLSFileError(file: source, reason: error.cause)
        }
    }

    /// Creates a session with a server.
    ///
    /// - Parameter host: a DNS name in ASCII, or an IPv4 or IPv6 address without brackets. The server's certificate
    ///   must be issued for it.
    /// - Throws: `TLSError.invalidHostName`.
    public func makeEngine(host: String) throws(TLSError) -> TLSEngine {
        var name = host[...]
        // SNI and certificates have names without the trailing dot of an absolute name (RFC 6066 section 3).
        if name.utf8.last == UInt8(ascii: ".") { name.removeLast() }
        guard TLSClientContext.isValidHost(name) else { throw TLSError.invalidHostName(host) }
        let expected = String(name)
        do {
            return try TLSEngine(context: context, expectedHost: expected) { session throws(OpenSSLError) in
                SessionCalls.setConnectState(session)
                if SessionCalls.requireAddress(session, expected) { return }
                try SessionCalls.setServerName(session, expected)
                try SessionCalls.requireHostName(session, expected)
            }
        } catch {
            throw TLSError.handshakeFailed(error.cause)
        }
    }

    /// Whether the name consists of letters, digits, `.`, `-`, `_` and `:` (of an address). An empty name, a leading
    /// dot (any subdomain) and a NUL are rejected, because OpenSSL would accept more names than intended.
    private static func isValidHost(_ name: Substring) -> Bool {
        guard let first = name.utf8.first, first != UInt8(ascii: "."), name.utf8.count <= 253 else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: ":"):
                true
            default: false
            }
        }
    }
}
