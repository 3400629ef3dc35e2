internal import CLinux
internal import Glibc

/// The address of a stream socket.
public enum SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// The address as a number in big-endian order: 127.0.0.1 is 0x7f000001.
    case ipv4(UInt32, port: UInt16)
    /// The upper and lower half of the address as big-endian numbers. `scope` is the interface of a link-local address.
    case ipv6(high: UInt64, low: UInt64, scope: UInt32, port: UInt16)
    case unix(path: String)

    /// 127.0.0.1 with a port.
    public static func loopback(port: UInt16) -> SocketAddress { .ipv4(0x7f00_0001, port: port) }

    /// The port; nil for a Unix socket.
    public var port: UInt16? {
        switch self {
        case .ipv4(_, let port), .ipv6(_, _, _, let port): port
        case .unix: nil
        }
    }

    /// The numeric address (`127.0.0.1`, `::1`) without the port, or the path.
    public var host: String {
        switch self {
        case .unix(let path): path
        case .ipv4, .ipv6:
            withSockaddr { address, length in
                withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { text in
                    let status = getnameinfo(
                        address, length, text.baseAddress, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
                    guard status == 0, let base = text.baseAddress else { return "?" }
                    return String(cString: base)
                }
            }
        }
    }

    public var description: String {
        switch self {
        case .ipv4(_, let port): "\(host):\(port)"
        case .ipv6(_, _, _, let port): "[\(host)]:\(port)"
        case .unix(let path): path
        }
    }

    /// Resolves a host name, or parses a numeric address, on a new thread. Returns distinct addresses in order of
    /// preference (RFC 6724).
    public static func resolve(host: String, port: UInt16) async throws(ResolutionError) -> [SocketAddress] {
        let result: Result<[SocketAddress], ResolutionError> = await withCheckedContinuation { continuation in
            Thread.start(label: "resolve") {
                continuation.resume(
                    returning: Result { () throws(ResolutionError) in try lookUp(host: host, port: port) })
            }
        }
        return try result.get()
    }

    /// A host name that could not be resolved.
    public struct ResolutionError: Error, Hashable, Sendable, CustomStringConvertible {
        public let host: String
        public let reason: String

        public var description: String { "cannot resolve \(host): \(reason)" }
    }

    private static func lookUp(host: String, port: UInt16) throws(ResolutionError) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, &hints, &list)
        guard status == 0 else {
            throw ResolutionError(host: host, reason: String(cString: gai_strerror(status)))
        }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next {
            if let address = SocketAddress(entry.pointee.ai_addr)?.with(port: port), !addresses.contains(address) {
                addresses.append(address)
            }
            next = entry.pointee.ai_next
        }
        return addresses
    }

    private func with(port: UInt16) -> SocketAddress {
        switch self {
        case .ipv4(let address, _): .ipv4(address, port: port)
        case .ipv6(let high, let low, let scope, _): .ipv6(high: high, low: low, scope: scope, port: port)
        case .unix: self
        }
    }
}

// MARK: - Conversion to and from sockaddr

extension SocketAddress {
    /// Maximum length of a Unix socket's path in bytes, with its terminating zero.
    static let unixPathBytesMax = MemoryLayout.size(ofValue: sockaddr_un().sun_path)

    var family: Int32 {
        switch self {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    init?(_ address: UnsafePointer<sockaddr>?) {
        guard let address else { return nil }
        let raw = UnsafeRawPointer(address)
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            let value = raw.loadUnaligned(as: sockaddr_in.self)
            self = .ipv4(UInt32(bigEndian: value.sin_addr.s_addr), port: UInt16(bigEndian: value.sin_port))
        case AF_INET6:
            let value = raw.loadUnaligned(as: sockaddr_in6.self)
            let octets = withUnsafeBytes(of: value.sin6_addr) { $0.loadUnaligned(as: (UInt64, UInt64).self) }
            self = .ipv6(
                high: UInt64(bigEndian: octets.0), low: UInt64(bigEndian: octets.1), scope: value.sin6_scope_id,
                port: UInt16(bigEndian: value.sin6_port))
        case AF_UNIX:
            self = .unix(path: "")
        default:
            return nil
        }
    }

    /// Calls `body` with the address as a `sockaddr`.
    func withSockaddr<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        var storage = sockaddr_storage()
        return withUnsafeMutableBytes(of: &storage) { bytes in
            let length = fill(bytes)
            // The storage is large and aligned enough for every family.
            return bytes.withMemoryRebound(to: sockaddr.self) { address in
                body(UnsafePointer(address.baseAddress.unsafelyUnwrapped), socklen_t(length))
            }
        }
    }

    /// Writes the address to zeroed bytes. Returns its length.
    private func fill(_ bytes: UnsafeMutableRawBufferPointer) -> Int {
        switch self {
        case .ipv4(let address, let port):
            var value = sockaddr_in()
            value.sin_family = sa_family_t(AF_INET)
            value.sin_port = port.bigEndian
            value.sin_addr.s_addr = address.bigEndian
            bytes.storeBytes(of: value, as: sockaddr_in.self)
            return MemoryLayout<sockaddr_in>.size
        case .ipv6(let high, let low, let scope, let port):
            var value = sockaddr_in6()
            value.sin6_family = sa_family_t(AF_INET6)
            value.sin6_port = port.bigEndian
            value.sin6_scope_id = scope
            withUnsafeMutableBytes(of: &value.sin6_addr) {
                $0.storeBytes(of: (high.bigEndian, low.bigEndian), as: (UInt64, UInt64).self)
            }
            bytes.storeBytes(of: value, as: sockaddr_in6.self)
            return MemoryLayout<sockaddr_in6>.size
        case .unix(let path):
            bytes.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
            let offset = MemoryLayout<sa_family_t>.size
            let octets = Array(path.utf8.prefix(Self.unixPathBytesMax - 1))
            bytes[offset...].copyBytes(from: octets)
            return offset + octets.count + 1
        }
    }
}
