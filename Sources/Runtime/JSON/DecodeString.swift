/// The content of a string with its escapes decoded.
struct DecodedString {
    /// UTF-8. An unpaired surrogate is encoded as three bytes (generalized UTF-8), so that two contents are equal
    /// exactly if their bytes are equal.
    var bytes: [UInt8] = []
    var hasUnpairedSurrogate = false
}

extension Span<UInt8> {
    /// Decodes the content `range` of a string that `scanString` has found to be well-formed.
    func decodeString(_ range: Range<Int>) -> DecodedString {
        let content = extracting(range)
        var decoded = DecodedString()
        decoded.bytes.reserveCapacity(range.count)
        var index = 0
        while index < content.count {
            let byte = content[index]
            guard byte == UInt8(ascii: "\\") else {
                decoded.bytes.append(byte)
                index += 1
                continue
            }
            index += content.decodeEscape(at: index, into: &decoded)
        }
        return decoded
    }

    /// Appends the character of the escape sequence at `index`. Returns the length of the sequence, which is twelve
    /// bytes for a surrogate pair (RFC 8259 section 7).
    private func decodeEscape(at index: Int, into decoded: inout DecodedString) -> Int {
        switch self[index + 1] {
        case UInt8(ascii: "b"): decoded.bytes.append(0x08)
        case UInt8(ascii: "f"): decoded.bytes.append(0x0C)
        case UInt8(ascii: "n"): decoded.bytes.append(0x0A)
        case UInt8(ascii: "r"): decoded.bytes.append(0x0D)
        case UInt8(ascii: "t"): decoded.bytes.append(0x09)
        case UInt8(ascii: "u"): return decodeUnit(at: index, into: &decoded)
        case let itself: decoded.bytes.append(itself)
        }
        return 2
    }

    private func decodeUnit(at index: Int, into decoded: inout DecodedString) -> Int {
        let unit = UInt32(hexadecimalUnit(at: index + 2) ?? 0)
        if unit & 0xFC00 == 0xD800, let low = lowSurrogate(at: index + 6) {
            decoded.append(0x10000 + (unit & 0x3FF) << 10 + (low & 0x3FF))
            return 12
        }
        if unit & 0xF800 == 0xD800 {
            decoded.hasUnpairedSurrogate = true
        }
        decoded.append(unit)
        return 6
    }

    private func lowSurrogate(at index: Int) -> UInt32? {
        guard index + 6 <= count, self[index] == UInt8(ascii: "\\"), self[index + 1] == UInt8(ascii: "u"),
            let unit = hexadecimalUnit(at: index + 2), unit & 0xFC00 == 0xDC00
        else { return nil }
        return UInt32(unit)
    }
}

extension DecodedString {
    fileprivate mutating func append(_ scalar: UInt32) {
        switch scalar {
        case 0..<0x80:
            bytes.append(UInt8(scalar))
        case 0x80..<0x800:
            bytes.append(UInt8(0xC0 | scalar >> 6))
            bytes.append(UInt8(0x80 | scalar & 0x3F))
        case 0x800..<0x10000:
            bytes.append(UInt8(0xE0 | scalar >> 12))
            bytes.append(UInt8(0x80 | scalar >> 6 & 0x3F))
            bytes.append(UInt8(0x80 | scalar & 0x3F))
        default:
            bytes.append(UInt8(0xF0 | scalar >> 18))
            bytes.append(UInt8(0x80 | scalar >> 12 & 0x3F))
            bytes.append(UInt8(0x80 | scalar >> 6 & 0x3F))
            bytes.append(UInt8(0x80 | scalar & 0x3F))
        }
    }
}
