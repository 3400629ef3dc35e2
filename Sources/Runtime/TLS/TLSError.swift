/// Why a TLS session could not be set up, or broke.
public enum TLSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The server's certificate does not prove that it is the host that was asked for.
    case certificateRefused(host: String, CertificateProblem)
    /// The two sides did not agree, or the peer speaks no TLS. In OpenSSL's words.
    case handshakeFailed(String)
    /// The connection ended without close_notify: bytes at its end may be missing (RFC 8446 section 6.1).
    case truncated
    /// A record or message after the handshake broke the protocol. In OpenSSL's words.
    case sessionFailed(String)
    /// No certificate can be demanded for such a name, so nothing was sent.
    case invalidHostName(String)

    public var description: String {
        switch self {
        case .certificateRefused(let host, let problem): "the certificate of \(host) is refused: \(problem)"
        case .handshakeFailed(let reason): "TLS handshake failed: \(reason)"
        case .truncated: "the connection ended without a TLS close_notify, so data may be missing"
        case .sessionFailed(let reason): "TLS session failed: \(reason)"
        case .invalidHostName(let name): "\"\(name)\" is neither a DNS name nor an IP address"
        }
    }
}

/// What is wrong with a certificate.
public enum CertificateProblem: Hashable, Sendable, CustomStringConvertible {
    case expired
    case notYetValid
    /// Signed by itself, and not among the trusted ones.
    case selfSigned
    /// No trusted authority has signed it, or an intermediate certificate is missing.
    case unknownAuthority
    /// Made out to other names.
    case wrongHost
    /// Anything else, in OpenSSL's words.
    case other(String)

    public var description: String {
        switch self {
        case .expired: "it has expired"
        case .notYetValid: "it is not valid yet (is a clock wrong?)"
        case .selfSigned: "it is self-signed, and not among the trusted certificates"
        case .unknownAuthority: "no trusted authority signed it, or the server sends no intermediate certificate"
        case .wrongHost: "it was issued for another host"
        case .other(let reason): reason
        }
    }
}
