internal import Values

/// Writes a text so that it stays inside its line and its quotes, and commands no terminal.
///
/// Escaped, as `\n`, `\t`, `\r` or `\uXXXX` (RFC 8259 section 7): C0 controls with ESC, DEL, C1 controls (among them
/// NEL and the one-byte CSI), the line and paragraph separators U+2028 and U+2029, and the bidirectional marks and
/// overrides U+200E, U+200F, U+202A ... U+202E and U+2066 ... U+2069, with which a line can be made to look like another.
enum LineEscape {
    /// Writes at most `bytesMax` bytes of the text, cut between characters, and `...` after a cut. A Swift `String` is
    /// always valid UTF-8: bytes that are not were replaced when it was made. A backslash is always doubled, so that
    /// an escape cannot be confused with text that looks like one.
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

    /// True of printable ASCII that is not special: what most texts consist of.
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
