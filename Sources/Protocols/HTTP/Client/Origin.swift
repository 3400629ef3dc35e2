public import EventLoop

/// The server of a request: scheme, host, port and address. Connections are reused for equal origins only.
public struct Origin: Hashable, Sendable {
    /// Whether the scheme is https.
    public var isSecure: Bool
    /// Host name or address for the Host field and for the certificate; an IPv6 address without brackets.
    public var host: String
    public var port: UInt16
    /// Address to connect to; nil to resolve `host`. A caller that has checked the resolved address passes it here,
    /// because a second resolution could return another one.
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

    /// The value of the Host field, without the port if it is the default of the scheme.
    var hostValue: String {
        let bracketed = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? bracketed : "\(bracketed):\(port)"
    }
}
