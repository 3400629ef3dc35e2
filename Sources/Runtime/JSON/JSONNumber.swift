/// A number (RFC 8259 section 6) with its original text.
///
/// Two numbers are equal if their texts are equal: `1.0` does not equal `1.00`.
public struct JSONNumber: Hashable, Sendable, CustomStringConvertible {
    public let text: String

    /// Nil if `text` is not a JSON number.
    public init?(_ text: String) {
        let bytes = text.utf8Span.span
        guard bytes.count > 0, bytes[0] == UInt8(ascii: "-") || bytes[0] >= 0x30 && bytes[0] <= 0x39 else { return nil }
        let scan = bytes.scanNumber(from: 0)
        guard scan.fault == nil, scan.end == bytes.count else { return nil }
        self.text = text
    }

    public init(_ value: some FixedWidthInteger) {
        text = String(value)
    }

    /// Nil for infinity and NaN.
    public init?(_ value: Double) {
        guard value.isFinite else { return nil }
        text = value.description
    }

    init(checked text: String) {
        self.text = text
    }

    public var description: String { text }

    /// The value as an integer, without rounding; nil if it is not an integer or does not fit. `1.0` and `1e2` are
    /// integers.
    public func integer<Value: FixedWidthInteger>(as type: Value.Type = Value.self) -> Value? {
        let bytes = text.utf8Span.span
        guard case .value(let exact) = bytes.exactInteger(0..<bytes.count) else { return nil }
        return Value(exactly: exact)
    }

    /// The nearest double; infinite if the magnitude exceeds the largest double.
    public var double: Double { Double(text) ?? .infinity }
}
