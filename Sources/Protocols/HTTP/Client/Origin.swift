public import EventLoop

/// Whom a client talks to. Connections are reused only for an equal origin.
public struct Origin: Hashable, Sendable {
    public var isSecure: Bool
    /// For the Host field, and for the certificate; an IPv6 address without brackets.
    public var host: String
    public var port: UInt16
    /// Where to connect to, if that was found out already: who has checked the addresses of a name must connect to
    /// what was checked, and not look the name up again.
    public var address: SocketAddress?

    public init(isSecure: Bool = false, host: String, port: UInt16, address: SocketAddress? = nil) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.address = address
    }

    public init(_ uri: AbsoluteURI, address: SocketAddress? = nil) {
        self.init(isSecure: uri.isSecure, host: uri.host, port: uri.port, address: address)
    }

    /// The value of the Host field: without the port where that is the scheme's own.
    var hostValue: String {
        let bracketed = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? bracketed : "\(bracketed):\(port)"
    }
}
