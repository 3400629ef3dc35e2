/// Writes a JSON text into a buffer, in document order. Commas are added automatically.
///
///     var writer = JSONWriter()
///     writer.beginObject()
///     writer.member("type", "email.send")
///     writer.key("tags")
///     writer.beginArray()
///     writer.string("urgent")
///     writer.endArray()
///     writer.endObject()
///     let body = writer.finish()
///
/// Calls that would produce invalid JSON, such as a key in an array or an unbalanced end, are programming errors and
/// trap.
public struct JSONWriter: Sendable {
    /// The text written so far.
    public private(set) var bytes: [UInt8]
    private var containers = ContainerStack()
    private var needsComma = false
    private var isAfterKey = false

    /// - Parameter capacity: number of bytes to reserve.
    public init(capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// Appends the text to `buffer`, which `finish` returns.
    public init(appendingTo buffer: consuming [UInt8]) {
        bytes = buffer
    }

    /// Returns the buffer.
    /// - Precondition: the text is complete.
    public consuming func finish() -> [UInt8] {
        precondition(containers.depth == 0 && needsComma, "the text is not complete")
        return bytes
    }

    // MARK: Containers

    public mutating func beginObject() {
        beginValue()
        containers.push(isObject: true)
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
    }

    public mutating func endObject() {
        precondition(containers.isInObject && !isAfterKey, "endObject outside an object, or after a key")
        containers.pop()
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    public mutating func beginArray() {
        beginValue()
        containers.push(isObject: false)
        bytes.append(UInt8(ascii: "["))
        needsComma = false
    }

    public mutating func endArray() {
        precondition(containers.isInArray, "endArray outside an array")
        containers.pop()
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    /// Writes the name of a member, whose value must follow. Repeated names are not detected.
    public mutating func key(_ name: String) {
        precondition(containers.isInObject && !isAfterKey, "key outside an object, or after a key")
        if needsComma {
            bytes.append(UInt8(ascii: ","))
        }
        bytes.appendJSONString(name.utf8Span.span)
        bytes.append(UInt8(ascii: ":"))
        isAfterKey = true
    }

    // MARK: Values

    /// Writes a string. Control characters, U+2028 and U+2029 are escaped, so that the text is safe in a log line.
    public mutating func string(_ value: String) {
        string(utf8: value.utf8Span.span)
    }

    /// Writes a string from UTF-8. Invalid bytes become U+FFFD.
    public mutating func string(utf8 value: Span<UInt8>) {
        beginValue()
        bytes.appendJSONString(value)
    }

    /// Writes a string from UTF-8. Invalid bytes become U+FFFD.
    public mutating func string(utf8 value: [UInt8]) {
        string(utf8: value.span)
    }

    /// Writes an integer of up to 64 bits.
    @inlinable
    public mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
        integer(isNegative: value < 0, magnitude: UInt64(value.magnitude))
    }

    @usableFromInline
    mutating func integer(isNegative: Bool, magnitude: UInt64) {
        beginValue()
        if isNegative {
            bytes.append(UInt8(ascii: "-"))
        }
        appendDigits(of: magnitude)
    }

    /// Writes the shortest text that parses to the same double. Infinity and NaN, which JSON cannot represent, become
    /// `null` as in ECMAScript, because a division by zero must not end the process.
    public mutating func double(_ value: Double) {
        guard value.isFinite else { return null() }
        beginValue()
        bytes.append(contentsOf: value.description.utf8)
    }

    public mutating func bool(_ value: Bool) {
        literal(value ? "true" : "false")
    }

    public mutating func null() {
        literal("null")
    }

    /// Writes a JSON value unchanged and without checks: bytes from `JSONReader.skipValue` or from a `json` column.
    public mutating func raw(_ value: Span<UInt8>) {
        beginValue()
        bytes.append(contentsOf: value, from: 0, count: value.count)
    }

    /// Writes a JSON value unchanged and without checks.
    public mutating func raw(_ value: [UInt8]) {
        beginValue()
        bytes.append(contentsOf: value)
    }

    /// Writes a JSON value unchanged and without checks: `raw(reader.bytes[range])`.
    public mutating func raw(_ value: ArraySlice<UInt8>) {
        beginValue()
        bytes.append(contentsOf: value)
    }

    // MARK: Members

    public mutating func member(_ name: String, _ value: String) {
        key(name)
        string(value)
    }

    @inlinable
    public mutating func member<Value: FixedWidthInteger>(_ name: String, _ value: Value) {
        key(name)
        integer(value)
    }

    public mutating func member(_ name: String, _ value: Double) {
        key(name)
        double(value)
    }

    public mutating func member(_ name: String, _ value: Bool) {
        key(name)
        bool(value)
    }

    // MARK: Grammar

    private mutating func beginValue() {
        precondition(isAfterKey || !containers.isInObject, "value without a key in an object")
        if isAfterKey {
            isAfterKey = false
        } else if needsComma {
            precondition(containers.depth > 0, "second value after the end of the text")
            bytes.append(UInt8(ascii: ","))
        }
        needsComma = true
    }

    mutating func literal(_ text: String) {
        beginValue()
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func appendDigits(of magnitude: UInt64) {
        // 2^64 - 1 has 20 digits.
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var first = 20
        var rest = magnitude
        repeat {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        for index in first..<20 {
            bytes.append(digits[index])
        }
    }
}
