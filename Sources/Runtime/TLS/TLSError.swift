/// Why a TLS session could not be established, or ended with an error.
public enum TLSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The server's certificate is not trusted, or not valid for the host.
    case certificateRefused(host: String, CertificateProblem)
    /// The sides share no version or cipher suite, or the peer does not use TLS. The text is OpenSSL's.
    case handshakeFailed(String)
    /// The connection ended without close_notify, so bytes at its end may be missing (RFC 8446 section 6.1).
    case truncated
    /// A record or message after the handshake violated the protocol. The text is OpenSSL's.
    case sessionFailed(String)
    /// The host is neither a DNS name nor an IP address. Nothing was sent.
    case invalidHostName(String)

    public var description: String {
        switch self {
        case .certificateRefused(let host, let problem): "the certificate of \(host) is not accepted: \(problem)"
        case .handshakeFailed(let reason): "TLS handshake failed: \(reason)"
        case .truncated: "the connection ended without a TLS close_notify, so data may be missing"
        case .sessionFailed(let reason): "TLS session failed: \(reason)"
        case .invalidHostName(let name): "\"\(name)\" is neither a DNS name nor an IP address"
        }
    }
}

/// Why a certificate is not accepted.
public enum CertificateProblem: Hashable, Sendable, CustomStringConvertible {
    case expired
    case notYetValid
    /// Self-signed, and not in the trust store.
    case selfSigned
    /// Not signed by a trusted authority, or an intermediate certificate is missing.
    case unknownAuthority
    /// Issued for other names.
    case wrongHost
    /// Any other problem. The text is OpenSSL's.
    case other(String)

    public var description: String {
        switch self {
        case .expired: "it has expired"
        case .notYetValid: "it is not valid yet; check the clocks of both machines"
        case .selfSigned: "it is self-signed and not in the trust store"
        case .unknownAuthority: "it is not signed by a trusted authority, or an intermediate certificate is missing"
        case .wrongHost: "it was issued for another host"
        case .other(let reason): reason
        }
    }
}
