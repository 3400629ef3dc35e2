/// A 128-bit identifier (RFC 9562). Compares as PostgreSQL compares `uuid`: byte by byte, from the left.
public struct UUID: Hashable, Sendable {
    /// The first eight bytes, most significant first.
    public let high: UInt64
    /// The last eight bytes, most significant first.
    public let low: UInt64

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads the form of 36 characters, `0190163d-8694-739b-aea5-966c26f8ad91`, with hexadecimal digits in
    /// either case (RFC 9562 section 4). Nil for every other spelling.
    public init?(_ text: some StringProtocol) {
        self.init(ascii: text.utf8)
    }

    /// The same from bytes of ASCII.
    public init?(ascii: some Collection<UInt8>) {
        guard ascii.count == 36 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        var position = 0
        for byte in ascii {
            switch position {
            case 8, 13, 18, 23:
                guard byte == UInt8(ascii: "-") else { return nil }
            default:
                guard let digit = UUID.hexadecimalValue(byte) else { return nil }
                high = high << 4 | low >> 60
                low = low << 4 | UInt64(digit)
            }
            position += 1
        }
        self.init(high: high, low: low)
    }

    /// Appends the 36 characters of the lower-case form.
    public func appendASCII(to bytes: inout [UInt8]) {
        bytes.reserveCapacity(bytes.count + 36)
        UUID.appendHexadecimal(of: high, from: 15, through: 8, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        UUID.appendHexadecimal(of: high, from: 7, through: 4, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        UUID.appendHexadecimal(of: high, from: 3, through: 0, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        UUID.appendHexadecimal(of: low, from: 15, through: 12, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        UUID.appendHexadecimal(of: low, from: 11, through: 0, to: &bytes)
    }

    private static func appendHexadecimal(of word: UInt64, from: Int, through: Int, to bytes: inout [UInt8]) {
        for digit in stride(from: from, through: through, by: -1) {
            let value = UInt8(truncatingIfNeeded: word >> UInt64(digit * 4)) & 0xF
            bytes.append(value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10)
        }
    }

    private static func hexadecimalValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension UUID: Comparable {
    @inlinable
    public static func < (left: UUID, right: UUID) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }
}

extension UUID: CustomStringConvertible {
    public var description: String {
        var bytes: [UInt8] = []
        appendASCII(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
