extension [UInt8] {
    /// Appends UTF-8 text as a JSON string with its quotation marks.
    ///
    /// Escapes the characters required by RFC 8259 section 7, and those that could forge or hide a line when the JSON
    /// is shown in a log or a terminal: DEL, the C1 controls U+0080 to U+009F, and the separators U+2028 and U+2029. A
    /// byte that is not UTF-8 becomes U+FFFD, so that the output is always valid JSON.
    mutating func appendJSONString(_ text: Span<UInt8>) {
        // Fast path: nearly every string needs no escape and is appended at once, with its quotation marks.
        var length = text.verbatimLength(at: 0)
        append(addingCapacity: length + 2) { target in
            target.append(UInt8(ascii: "\""))
            for index in 0..<length {
                target.append(text[index])
            }
            if length == text.count {
                target.append(UInt8(ascii: "\""))
            }
        }
        guard length < text.count else { return }
        var index = length
        while index < text.count {
            index += appendSpecial(text, at: index)
            length = text.verbatimLength(at: index)
            append(contentsOf: text, from: index, count: length)
            index += length
        }
        append(UInt8(ascii: "\""))
    }

    /// Appends bytes unchanged.
    mutating func append(contentsOf source: Span<UInt8>, from first: Int, count: Int) {
        append(addingCapacity: count) { target in
            for index in first..<first + count {
                target.append(source[index])
            }
        }
    }

    /// Appends the escaped form of the character at `index`. Returns its length in `text`.
    private mutating func appendSpecial(_ text: Span<UInt8>, at index: Int) -> Int {
        let byte = text[index]
        if byte < 0x80 {
            appendEscape(of: byte)
            return 1
        }
        let length = text.multibyteLength(at: index)
        switch length {
        case 0:
            append(contentsOf: [0xEF, 0xBF, 0xBD])
            return 1
        case 2:
            appendUnicodeEscape(of: UInt16(byte & 0x1F) << 6 | UInt16(text[index + 1] & 0x3F))
        default:
            appendUnicodeEscape(of: 0x2000 | UInt16(text[index + 2] & 0x3F))
        }
        return length
    }

    private mutating func appendEscape(of byte: UInt8) {
        let letter: UInt8
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): letter = byte
        case 0x08: letter = UInt8(ascii: "b")
        case 0x09: letter = UInt8(ascii: "t")
        case 0x0A: letter = UInt8(ascii: "n")
        case 0x0C: letter = UInt8(ascii: "f")
        case 0x0D: letter = UInt8(ascii: "r")
        default: return appendUnicodeEscape(of: UInt16(byte))
        }
        append(UInt8(ascii: "\\"))
        append(letter)
    }

    private mutating func appendUnicodeEscape(of unit: UInt16) {
        append(UInt8(ascii: "\\"))
        append(UInt8(ascii: "u"))
        for shift in stride(from: 12, through: 0, by: -4) {
            let digit = UInt8(unit >> shift & 0xF)
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}

extension Span<UInt8> {
    /// Number of bytes from `index` on that need no escape.
    fileprivate func verbatimLength(at index: Int) -> Int {
        var end = index
        while true {
            end += plainLength(at: end, stopsAtDelete: true)
            guard end < count, self[end] >= 0x80 else { return end - index }
            repeat {
                let length = multibyteLength(at: end)
                guard length > 0, !isControlOrSeparator(at: end) else { return end - index }
                end += length
            } while end < count && self[end] >= 0x80
        }
    }

    /// Whether the sequence at `index` is U+0080 to U+009F, U+2028 or U+2029.
    private func isControlOrSeparator(at index: Int) -> Bool {
        switch self[index] {
        case 0xC2: self[index + 1] < 0xA0
        case 0xE2: self[index + 1] == 0x80 && self[index + 2] & 0xFE == 0xA8
        default: false
        }
    }
}
