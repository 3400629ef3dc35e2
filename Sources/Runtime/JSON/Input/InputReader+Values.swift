public import Values

extension InputReader {
    /// Whether the value is null, which is then read.
    public mutating func null() throws(JSONSyntaxError) -> Bool {
        try note { reader throws(JSONError) in try reader.readNull() } ?? false
    }

    public mutating func bool() throws(JSONSyntaxError) -> Bool? {
        try note { reader throws(JSONError) in try reader.readBool() }
    }

    /// Any string.
    public mutating func string() throws(JSONSyntaxError) -> String? {
        try note { reader throws(JSONError) in try reader.readString() }
    }

    /// The string as `parse` reads it; nil after noting `requirement`.
    public mutating func value<Value>(
        _ requirement: @autoclosure () -> String, _ parse: (String) -> Value?
    ) throws(JSONSyntaxError) -> Value? {
        guard let text = try string() else { return nil }
        if let value = parse(text) { return value }
        add(requirement())
        return nil
    }

    /// A string that the rule accepts.
    public mutating func text(_ rule: TextRule) throws(JSONSyntaxError) -> String? {
        try value(rule.requirement) { rule.accepts($0) ? $0 : nil }
    }

    /// A string that is one of the raw values of `accepted`.
    public mutating func choice<Choice: RawRepresentable<String>>(
        of accepted: [Choice]
    ) throws(JSONSyntaxError) -> Choice? {
        // Bytes are compared: `==` on String takes differently composed letters for equal.
        try value("must be one of \(accepted.map(\.rawValue).joined(separator: ", "))") { text in
            accepted.first { $0.rawValue.utf8.elementsEqual(text.utf8) }
        }
    }

    /// A string that is an RFC 3339 instant.
    public mutating func instant() throws(JSONSyntaxError) -> WallInstant? {
        guard let text = try string() else { return nil }
        do throws(WallInstantError) {
            return try WallInstant(parsing: text)
        } catch {
            add(error.description)
            return nil
        }
    }

    /// A string that is a UUID.
    public mutating func uuid() throws(JSONSyntaxError) -> UUID? {
        try value("must be a UUID") { UUID($0) }
    }

    // MARK: Numbers

    /// An integer of `range`.
    @inlinable
    public mutating func integer<Value: FixedWidthInteger>(
        in range: ClosedRange<Value>
    ) throws(JSONSyntaxError) -> Value? {
        let bounds = Int128(range.lowerBound)...Int128(range.upperBound)
        return try integer(within: bounds).map { Value(truncatingIfNeeded: $0) }
    }

    /// An integer of `range`, or null for nil.
    @inlinable
    public mutating func optionalInteger<Value: FixedWidthInteger>(
        in range: ClosedRange<Value>
    ) throws(JSONSyntaxError) -> Value? {
        try null() ? nil : integer(in: range)
    }

    /// An integer of `range`, or the string `keyword` for nil.
    ///
    /// - Parameter noun: names what is accepted: `an integer of seconds`.
    @inlinable
    public mutating func integer<Value: FixedWidthInteger>(
        in range: ClosedRange<Value>, or keyword: String, noun: String = "an integer"
    ) throws(JSONSyntaxError) -> Value? {
        let bounds = Int128(range.lowerBound)...Int128(range.upperBound)
        return try integer(within: bounds, or: keyword, noun: noun).map { Value(truncatingIfNeeded: $0) }
    }

    @usableFromInline
    mutating func integer(within range: ClosedRange<Int128>) throws(JSONSyntaxError) -> Int128? {
        let kind = try peekKind()
        if kind == .number, let value = try exactInteger(), range.contains(value) { return value }
        let found = kind == .number ? "" : ", not \(kind.phrase)"
        add("must be an integer from \(range.lowerBound) to \(range.upperBound)\(found)")
        return nil
    }

    @usableFromInline
    mutating func integer(
        within range: ClosedRange<Int128>, or keyword: String, noun: String
    ) throws(JSONSyntaxError) -> Int128? {
        switch try peekKind() {
        case .string:
            guard let text = try string(), !text.utf8.elementsEqual(keyword.utf8) else { return nil }
        case .number:
            if let value = try exactInteger(), range.contains(value) { return value }
        default: break
        }
        add("must be \"\(keyword)\" or \(noun) from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    private mutating func exactInteger() throws(JSONSyntaxError) -> Int128? {
        try note { reader throws(JSONError) in try reader.readExactInteger() } ?? nil
    }

    private mutating func peekKind() throws(JSONSyntaxError) -> JSONKind {
        try noteSyntax { reader throws(JSONError) in try reader.peekKind() }
    }

    /// A number of `range`.
    ///
    /// - Parameter noun: names what is accepted: `a number of seconds`.
    public mutating func number(
        in range: ClosedRange<Double>, noun: String = "a number"
    ) throws(JSONSyntaxError) -> Double? {
        guard let value = try note({ reader throws(JSONError) in try reader.readDouble() }) else { return nil }
        if range.contains(value) { return value }
        add("must be \(noun) from \(Self.text(of: range.lowerBound)) to \(Self.text(of: range.upperBound))")
        return nil
    }

    /// `86400` and `0.001`: a bound without a fraction has no decimal point.
    private static func text(of bound: Double) -> String {
        Int(exactly: bound).map(String.init) ?? "\(bound)"
    }

    // MARK: Any value

    /// The JSON text of any value, as it is written. One that is longer than `bytesMax` is an error of its own kind
    /// (`InputErrors.hasOversizedValue`).
    public mutating func json(bytesMax: Int = .max) throws(JSONSyntaxError) -> [UInt8]? {
        let range = try noteSyntax { reader throws(JSONError) in try reader.skipValue() }
        if range.count <= bytesMax { return Array(reader.bytes[range]) }
        add("is \(range.count) bytes long; at most \(bytesMax) are accepted")
        errors.hasOversizedValue = true
        return nil
    }
}
