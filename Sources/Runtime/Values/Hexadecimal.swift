/// Hexadecimal digits as bytes of ASCII.
public enum Hexadecimal {
    /// The lower-case digit of the low four bits.
    @inlinable
    public static func digit(_ value: some FixedWidthInteger) -> UInt8 {
        let low = UInt8(truncatingIfNeeded: value) & 0xf
        return low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10
    }

    /// The value of a digit in either case, 0 to 15; nil for any other byte.
    @inlinable
    public static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Two lower-case digits for each byte.
    public static func text(_ bytes: some Sequence<UInt8>) -> String {
        var digits: [UInt8] = []
        for byte in bytes {
            digits.append(digit(byte >> 4))
            digits.append(digit(byte))
        }
        return String(decoding: digits, as: UTF8.self)
    }
}

extension [UInt8] {
    /// Appends the lowest `digits` hexadecimal digits of a number, in lower case, with leading zeros. `digits` is 1 to
    /// 16.
    @inlinable
    public mutating func append(hexadecimal number: UInt64, digits: Int = 16) {
        append(addingCapacity: digits) { $0.append(hexadecimal: number, digits: digits) }
    }
}

extension OutputSpan<UInt8> {
    /// The same, into reserved memory. Traps if it is full.
    @inlinable
    public mutating func append(hexadecimal number: UInt64, digits: Int = 16) {
        for shift in stride(from: 4 * (digits - 1), through: 0, by: -4) {
            append(Hexadecimal.digit(number >> UInt64(shift)))
        }
    }
}
