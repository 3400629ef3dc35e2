/// A 128-bit identifier (RFC 9562). Ordered as `uuid` in PostgreSQL: byte by byte, from the left.
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

    /// Parses the form of 36 characters, `0190163d-8694-739b-aea5-966c26f8ad91`, with hexadecimal digits in either case
    /// (RFC 9562 section 4). Nil for any other text.
    public init?(_ text: some StringProtocol) {
        self.init(ascii: text.utf8)
    }

    /// Parses the form of 36 characters from ASCII bytes.
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
                guard let digit = Hexadecimal.value(byte) else { return nil }
                high = high << 4 | low >> 60
                low = low << 4 | UInt64(digit)
            }
            position += 1
        }
        self.init(high: high, low: low)
    }

    /// Appends the 36 characters of the lower-case form.
    public func appendASCII(to bytes: inout [UInt8]) {
        bytes.append(addingCapacity: 36) { digits in
            digits.append(hexadecimal: high >> 32, digits: 8)
            digits.append(UInt8(ascii: "-"))
            digits.append(hexadecimal: high >> 16, digits: 4)
            digits.append(UInt8(ascii: "-"))
            digits.append(hexadecimal: high, digits: 4)
            digits.append(UInt8(ascii: "-"))
            digits.append(hexadecimal: low >> 48, digits: 4)
            digits.append(UInt8(ascii: "-"))
            digits.append(hexadecimal: low, digits: 12)
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
