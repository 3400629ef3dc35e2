extension MessageFields {
    /// Whether the fields declare uncompressed JSON in UTF-8: no `Content-Encoding`, and `application/json` without
    /// parameters or with `charset=utf-8`. RFC 8259 section 11 defines no parameter, but many clients send this one.
    var declareJSON: Bool {
        // The parser has rejected a second Content-Type.
        guard count(of: .contentEncoding) == 0, let value = first(.contentType) else { return false }
        // Fast path for the value that nearly every client sends.
        if bytes.span.equals(value.indices, lowercase: "application/json") { return true }
        let parts = value.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        guard let type = parts.first, Self.matches(type, "application/json") else { return false }
        guard parts.count > 1 else { return true }
        return parts.count == 2
            && (Self.matches(parts[1], "charset=utf-8") || Self.matches(parts[1], "charset=\"utf-8\""))
    }

    private static func matches(_ bytes: ArraySlice<UInt8>, _ lowercase: String) -> Bool {
        var text = bytes
        while let first = text.first, first.isBlank { text.removeFirst() }
        while let last = text.last, last.isBlank { text.removeLast() }
        return text.elementsEqual(lowercase.utf8) { $0.lowercased == $1 }
    }
}
