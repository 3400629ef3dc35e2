internal import Values

/// The result of `scanString`.
struct StringScan {
    /// Index of the closing quotation mark, or of the invalid byte.
    var end: Int
    var hasEscapes = false
    /// Nil if the string is well-formed.
    var fault: ScanFault?
}

extension Span<UInt8> {
    /// Checks the string whose first byte after the quotation mark is at `start` (RFC 8259 section 7): its end, escapes
    /// and UTF-8. Unpaired escaped surrogates are accepted, as the grammar allows them.
    func scanString(from start: Int) -> StringScan {
        var scan = StringScan(end: start)
        while true {
            scan.end += plainLength(at: scan.end)
            guard scan.end < count else {
                scan.fault = .endInString
                return scan
            }
            switch self[scan.end] {
            case UInt8(ascii: "\""):
                return scan
            case UInt8(ascii: "\\"):
                scan.hasEscapes = true
                let length = escapeLength(at: scan.end)
                guard length > 0 else {
                    scan.fault = escapeFault(at: scan.end)
                    return scan
                }
                scan.end += length
            case 0..<0x20:
                scan.fault = .controlCharacter
                return scan
            default:
                // A loop, because in most scripts multibyte characters follow each other.
                repeat {
                    let length = multibyteLength(at: scan.end)
                    guard length > 0 else {
                        scan.fault = .invalidUTF8
                        return scan
                    }
                    scan.end += length
                } while scan.end < count && self[scan.end] >= 0x80
            }
        }
    }

    /// The length of the escape sequence that starts with the backslash at `index`; 0 if it is invalid.
    private func escapeLength(at index: Int) -> Int {
        guard index + 1 < count else { return 0 }
        switch self[index + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return 2
        case UInt8(ascii: "u"):
            return hexadecimalUnit(at: index + 2) == nil ? 0 : 6
        default:
            return 0
        }
    }

    private func escapeFault(at index: Int) -> ScanFault {
        guard index + 1 < count else { return .endInString }
        return self[index + 1] == UInt8(ascii: "u") ? .invalidUnit : .unknownEscape
    }

    /// The UTF-16 code unit of the four hexadecimal digits at `index`; nil if there are not four.
    func hexadecimalUnit(at index: Int) -> UInt16? {
        guard index + 4 <= count else { return nil }
        var unit: UInt16 = 0
        for position in index..<index + 4 {
            guard let digit = Hexadecimal.value(self[position]) else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }
}
