/// The parts of an http or https URI (RFC 9110 section 4.2).
public struct AbsoluteURI: Hashable, Sendable, CustomStringConvertible {
    /// Whether the scheme is https.
    public let isSecure: Bool
    /// As written; an IPv6 address without its brackets.
    public let host: String
    /// 1 to 65535; default 80, or 443 for https.
    public let port: UInt16
    /// Path and query, percent-encoded; "/" at least.
    public let target: String

    /// Nil if the text is not an http or https URI, or has a user name, a fragment, a malformed escape, a port outside
    /// 1 to 65535, or a character that must be percent-encoded.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Int(UInt16.max), let first = bytes.first, first != UInt8(ascii: "/") else { return nil }
        let parts: RequestTarget
        do throws(ProtocolViolation) {
            parts = try RequestTarget(bytes.span, from: 0, ByteRange(0, bytes.count), method: .get)
        } catch {
            return nil
        }
        guard let range = parts.authority else { return nil }
        isSecure = bytes[4].lowercased == UInt8(ascii: "s")
        guard let (host, port) = Self.split(bytes[range.indices()]) else { return nil }
        self.host = host
        self.port = port ?? (isSecure ? 443 : 80)
        let rest = String(decoding: bytes[range.upperBound...], as: UTF8.self)
        target = rest.utf8.first == UInt8(ascii: "/") ? rest : "/" + rest
    }

    private static func split(_ authority: ArraySlice<UInt8>) -> (host: String, port: UInt16?)? {
        var host = authority
        var port: UInt16?
        if let colon = authority.lastIndex(of: UInt8(ascii: ":")), authority.last != UInt8(ascii: "]") {
            host = authority[..<colon]
            let digits = authority[(colon + 1)...]
            if !digits.isEmpty {
                var number = 0
                for digit in digits where number <= Int(UInt16.max) { number = number * 10 + Int(digit) - 0x30 }
                guard (1...Int(UInt16.max)).contains(number) else { return nil }
                port = UInt16(number)
            }
        }
        if host.first == UInt8(ascii: "[") { host = host.dropFirst().dropLast() }
        return (String(decoding: host, as: UTF8.self), port)
    }

    public var description: String {
        let bracketed = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return "\(isSecure ? "https" : "http")://\(bracketed):\(port)\(target)"
    }
}
