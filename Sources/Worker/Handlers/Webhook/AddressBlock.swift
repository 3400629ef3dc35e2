internal import EventLoop
internal import Glibc

/// A block of IP addresses, such as `10.0.0.0/8` or `fd00::/8`. IPv4 addresses are stored as IPv4-mapped IPv6
/// (RFC 4291 section 2.5.5.2), so that both notations of an address are equal.
struct AddressBlock: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64
    /// 0 to 128.
    private let prefixLength: Int

    private static let mappedLow: UInt64 = 0xFFFF_0000_0000

    private init(high: UInt64, low: UInt64, prefixLength: Int) {
        let mask = AddressBlock.mask(prefixLength)
        self.high = high & mask.high
        self.low = low & mask.low
        self.prefixLength = prefixLength
    }

    /// Parses an address, which is a block of one, or `address/length`. nil for anything else, including IPv4 in fewer
    /// than four parts, octal or hexadecimal notation, and bits beyond the length: a mistyped block must not allow more
    /// than intended.
    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let (address, bits) = AddressBlock.parse(String(parts[0])) else { return nil }
        var length = bits
        if parts.count == 2 {
            guard parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = Int(parts[1]), number <= bits
            else { return nil }
            length = number
        }
        self.init(high: address.high, low: address.low, prefixLength: 128 - bits + length)
        guard high == address.high, low == address.low else { return nil }
    }

    /// Whether the block contains an address; false for a Unix socket.
    func contains(_ address: SocketAddress) -> Bool {
        guard let other = AddressBlock.number(of: address) else { return false }
        let mask = AddressBlock.mask(prefixLength)
        return other.high & mask.high == high && other.low & mask.low == low
    }

    /// The address of a literal; nil for a name.
    static func literal(_ host: String, port: UInt16) -> SocketAddress? {
        guard let (number, bits) = parse(host) else { return nil }
        if bits == 32 { return .ipv4(UInt32(truncatingIfNeeded: number.low), port: port) }
        return .ipv6(high: number.high, low: number.low, scope: 0, port: port)
    }

    private static func number(of address: SocketAddress) -> (high: UInt64, low: UInt64)? {
        switch address {
        case .ipv4(let number, _): (0, mappedLow | UInt64(number))
        case .ipv6(let high, let low, _, _): (high, low)
        case .unix: nil
        }
    }

    private static func mask(_ length: Int) -> (high: UInt64, low: UInt64) {
        // A shift by the whole width gives 0.
        (~0 << UInt64(max(0, 64 - length)), ~0 << UInt64(max(0, 128 - max(64, length))))
    }

    /// The address as a number, and the number of bits of its notation: 32 or 128.
    private static func parse(_ text: String) -> ((high: UInt64, low: UInt64), bits: Int)? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            return ((0, mappedLow | UInt64(UInt32(bigEndian: four.s_addr))), 32)
        }
        var six = in6_addr()
        guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        let words = six.__in6_u.__u6_addr32
        let high = UInt64(UInt32(bigEndian: words.0)) << 32 | UInt64(UInt32(bigEndian: words.1))
        let low = UInt64(UInt32(bigEndian: words.2)) << 32 | UInt64(UInt32(bigEndian: words.3))
        return ((high, low), 128)
    }
}

extension AddressBlock {
    /// Whether an address belongs to the public internet. All others are denied unless the operator allows them: the
    /// creator of a job must not reach, through the worker, hosts that only the worker can reach (SSRF).
    static func isPublic(_ address: SocketAddress) -> Bool {
        if ipv4.contains(address) { return !specialIPv4.contains { $0.contains(address) } }
        return globalUnicast.contains(address) && !specialIPv6.contains { $0.contains(address) }
    }

    private static func known(_ text: String) -> AddressBlock {
        guard let block = AddressBlock(text) else { preconditionFailure("\(text) is not an address block") }
        return block
    }

    private static let ipv4 = known("::ffff:0:0/96")

    // IANA's registries of special-purpose addresses (RFC 6890), and multicast.
    private static let specialIPv4 = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    ].map(known)

    /// Global unicast (RFC 4291 section 2.4). It excludes loopback, link-local, unique local, multicast,
    /// IPv4-compatible and NAT64 (64:ff9b::/96, 64:ff9b:1::/48); the last two can encode any IPv4 address.
    private static let globalUnicast = known("2000::/3")
    // Protocol assignments with Teredo, documentation, 6to4, documentation again.
    private static let specialIPv6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"].map(known)
}
