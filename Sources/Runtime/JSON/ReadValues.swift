extension JSONReader {
    /// The type of the next value, determined by its first byte.
    public mutating func peekKind() throws(JSONError) -> JSONKind {
        precondition(expected == .value, "a value is not expected here")
        skipWhitespace()
        guard index < end else { throw unexpected("expected a value") }
        switch bytes[index] {
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case 0xEF where index == start: throw unexpected("expected a value and no byte order mark")
        default: throw unexpected("expected a value")
        }
    }

    /// Reads `null` if it is the next value. Returns whether it was.
    public mutating func readNull() throws(JSONError) -> Bool {
        guard try peekKind() == .null else { return false }
        try consumeLiteral()
        expected = .next
        return true
    }

    /// Reads a boolean.
    public mutating func readBool() throws(JSONError) -> Bool {
        try expect(.bool)
        let isTrue = bytes[index] == UInt8(ascii: "t")
        try consumeLiteral()
        expected = .next
        return isTrue
    }

    /// Reads a string and decodes its escapes. An unpaired surrogate (`"\ud800"`), which is legal in the grammar but
    /// not Unicode text, is a type error; `skipValue` accepts it.
    public mutating func readString() throws(JSONError) -> String {
        let first = index
        let content = try readStringContent()
        guard content.hasEscapes else {
            return String(decoding: bytes[content.range], as: UTF8.self)
        }
        return String(decoding: try decode(content.range, valueAt: first), as: UTF8.self)
    }

    /// Reads a string as UTF-8 bytes, with the rules of `readString`.
    public mutating func readStringBytes() throws(JSONError) -> [UInt8] {
        let first = index
        let content = try readStringContent()
        guard content.hasEscapes else {
            return Array(bytes[content.range])
        }
        return try decode(content.range, valueAt: first)
    }

    /// Reads an integer of up to 64 bits, without rounding. `1.0` and `1e2` are integers, `1.5` is not: the value
    /// decides, as in JSON Schema (2020-12, section 4.2.3). A value outside the range of `Value` is a type error.
    @inlinable
    public mutating func readInteger<Value: FixedWidthInteger>(as type: Value.Type = Value.self) throws(JSONError)
        -> Value
    {
        // Inlinable, so that it is specialised in the caller: through a generic entry point each step of the conversion
        // would be a witness table call, and cost five times as much as the parsing.
        let first = valueOffset
        if let exact = try readExactInteger(), let value = Value(exactly: exact) {
            return value
        }
        throw rejectNumber(expected: "an integer from \(Value.min) to \(Value.max)", resetTo: first)
    }

    /// Reads a number as the nearest double. A magnitude beyond the largest double (`1e400`) is a type error.
    public mutating func readDouble() throws(JSONError) -> Double {
        let first = index
        if let value = Double(try readNumberText()), value.isFinite {
            return value
        }
        throw rejectNumber(expected: "a number within the range of a double", resetTo: first)
    }

    /// Reads a number as its original text: `1.10` and `12345678901234567890` keep all digits.
    public mutating func readNumberText() throws(JSONError) -> String {
        try expect(.number)
        let first = index
        try consumeNumber()
        expected = .next
        return String(decoding: bytes[first..<index], as: UTF8.self)
    }

    // MARK: Grammar

    /// Throws a type error unless the next value is of `kind`.
    mutating func expect(_ kind: JSONKind) throws(JSONError) {
        let found = try peekKind()
        guard found == kind else {
            throw .type(JSONTypeError(expected: kind.phrase, found: found.phrase, offset: index))
        }
    }

    /// Moves past the string at `index`. Returns whether it contains escapes.
    @discardableResult
    mutating func consumeString() throws(JSONError) -> Bool {
        let scan = bytes.span.extracting(..<end).scanString(from: index + 1)
        if let fault = scan.fault {
            throw syntaxError(fault, at: scan.end)
        }
        index = scan.end + 1
        return scan.hasEscapes
    }

    mutating func consumeNumber() throws(JSONError) {
        let scan = bytes.span.extracting(..<end).scanNumber(from: index)
        if let fault = scan.fault {
            throw syntaxError(fault, at: scan.end)
        }
        index = scan.end
    }

    mutating func consumeLiteral() throws(JSONError) {
        switch bytes[index] {
        case UInt8(ascii: "t"):
            guard hasNext("r", 1), hasNext("u", 2), hasNext("e", 3) else { throw invalidLiteral("true") }
            index += 4
        case UInt8(ascii: "f"):
            guard hasNext("a", 1), hasNext("l", 2), hasNext("s", 3), hasNext("e", 4) else {
                throw invalidLiteral("false")
            }
            index += 5
        default:
            guard hasNext("u", 1), hasNext("l", 2), hasNext("l", 3) else { throw invalidLiteral("null") }
            index += 4
        }
    }

    /// A syntax error at the first byte that differs from `literal`.
    private mutating func invalidLiteral(_ literal: String) -> JSONError {
        for letter in literal.utf8 {
            guard index < end, bytes[index] == letter else { break }
            index += 1
        }
        return unexpected("expected '\(literal)'")
    }

    private func hasNext(_ letter: Unicode.Scalar, _ distance: Int) -> Bool {
        index + distance < end && bytes[index + distance] == UInt8(ascii: letter)
    }

    private mutating func readStringContent() throws(JSONError) -> (range: Range<Int>, hasEscapes: Bool) {
        try expect(.string)
        let first = index + 1
        let hasEscapes = try consumeString()
        expected = .next
        return (first..<index - 1, hasEscapes)
    }

    private mutating func decode(_ range: Range<Int>, valueAt first: Int) throws(JSONError) -> [UInt8] {
        let decoded = bytes.span.decodeString(range)
        if decoded.hasUnpairedSurrogate {
            index = first
            expected = .value
            throw .type(
                JSONTypeError(
                    expected: "a string of Unicode text", found: "an unpaired surrogate", offset: range.lowerBound - 1))
        }
        return decoded.bytes
    }

    @usableFromInline
    var valueOffset: Int { index }

    /// Reads a number. Nil unless it is an integer below 2^64 in magnitude.
    @usableFromInline
    mutating func readExactInteger() throws(JSONError) -> Int128? {
        try expect(.number)
        let first = index
        try consumeNumber()
        expected = .next
        if case .value(let exact) = bytes.span.exactInteger(first..<index) {
            return exact
        }
        return nil
    }

    /// Moves back to the start of the number and returns a type error for it.
    @usableFromInline
    mutating func rejectNumber(expected: String, resetTo first: Int) -> JSONError {
        index = first
        self.expected = .value
        skipWhitespace()
        let text = bytes[index..<bytes.span.extracting(..<end).scanNumber(from: index).end]
        let shown = String(decoding: text.prefix(32), as: UTF8.self)
        return .type(
            JSONTypeError(expected: expected, found: text.count > 32 ? "\(shown)..." : shown, offset: index))
    }
}
