internal import Values

/// Escapes text so that it cannot end its line or its quotes, or control a terminal.
///
/// The escapes are `\n`, `\t`, `\r` and `\uXXXX` (RFC 8259 section 7). Escaped are the C0 controls including ESC, DEL,
/// the C1 controls (including NEL and the one-byte CSI), the line and paragraph separators U+2028 and U+2029, and the
/// bidirectional marks and overrides U+200E, U+200F, U+202A to U+202E and U+2066 to U+2069, which could make a line
/// look like another one.
enum LineEscape {
    /// Appends up to `bytesMax` bytes of the text, truncated at a character boundary, with `...` after a truncation. A
    /// backslash is always doubled, so that text that looks like an escape cannot be confused with one.
    static func append(_ text: String, bytesMax: Int, escapingQuotes: Bool, to bytes: inout [UInt8]) {
        if text.utf8.count <= bytesMax && text.utf8.allSatisfy(needsNoEscape) {
            bytes.append(contentsOf: text.utf8)
            return
        }
        var written = 0
        for scalar in text.unicodeScalars {
            written += UTF8.width(scalar)
            guard written <= bytesMax else {
                bytes.append(contentsOf: "...".utf8)
                return
            }
            switch scalar.value {
            case 0x22 where escapingQuotes: bytes.append(contentsOf: #"\""#.utf8)
            case 0x5c: bytes.append(contentsOf: #"\\"#.utf8)
            case 0x0a: bytes.append(contentsOf: #"\n"#.utf8)
            case 0x0d: bytes.append(contentsOf: #"\r"#.utf8)
            case 0x09: bytes.append(contentsOf: #"\t"#.utf8)
            case 0x20...0x7e: bytes.append(UInt8(truncatingIfNeeded: scalar.value))
            case 0x00...0x1f, 0x7f...0x9f, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069:
                appendEscape(UInt16(truncatingIfNeeded: scalar.value), to: &bytes)
            default: bytes.append(contentsOf: UTF8.encode(scalar)!)
            }
        }
    }

    /// Whether the byte is printable ASCII without quotation mark and backslash, as in most texts.
    private static func needsNoEscape(_ byte: UInt8) -> Bool {
        (0x20...0x7e).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private static func appendEscape(_ unit: UInt16, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"\u"#.utf8)
        for shift in [12, 8, 4, 0] as [UInt16] {
            bytes.append(Hexadecimal.digit(unit >> shift))
        }
    }
}
