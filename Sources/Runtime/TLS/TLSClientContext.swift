/// What a TLS client needs for its sessions: whom it trusts, and the rules of the protocol.
///
/// Every session proves the name of its server; that cannot be switched off. TLS 1.2 and 1.3 only, authenticated
/// encryption only; ALPN `http/1.1`. May be used from any thread.
public final class TLSClientContext: Sendable {
    /// Whose signature on a server's certificate counts.
    public enum Trust: Hashable, Sendable {
        /// The authorities of the system: `/etc/ssl/certs`, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
        case system
        /// The certificates of a PEM file, and no others.
        case file(String)
    }

    private let context: SessionContext

    /// - Throws: that the trust file cannot be read, or holds no certificate.
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

    /// A session with the server of this name.
    ///
    /// - Parameter host: a DNS name in ASCII, or an IPv4 or IPv6 address without brackets. The server's certificate
    ///   must be made out to it.
    /// - Throws: `TLSError.invalidHostName`.
    public func makeEngine(host: String) throws(TLSError) -> TLSEngine {
        var name = host[...]
        // The dot at the end of an absolute name belongs neither to SNI nor to certificates (RFC 6066 section 3).
        if name.utf8.last == UInt8(ascii: ".") { name.removeLast() }
        guard TLSClientContext.isPlausible(name) else { throw TLSError.invalidHostName(host) }
        let demanded = String(name)
        do {
            return try TLSEngine(context: context, demandedHost: demanded) { session throws(OpenSSLError) in
                SessionCalls.expectServer(session)
                if SessionCalls.demandAddress(session, demanded) { return }
                try SessionCalls.setServerName(session, demanded)
                try SessionCalls.demandHostName(session, demanded)
            }
        } catch {
            throw TLSError.handshakeFailed(error.cause)
        }
    }

    /// Letters, digits, `.`, `-`, `_`, and `:` of an address. Refuses what OpenSSL would take as "any name": nothing at
    /// all, a dot in front (every subdomain), and what follows a NUL.
    private static func isPlausible(_ name: Substring) -> Bool {
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
