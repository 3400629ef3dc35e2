/// Writes a JSON text into a buffer, front to back; commas come by themselves.
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
/// Calls that would give no JSON, such as a key inside an array or an end without its beginning, are a programmer's
/// error and trap.
public struct JSONWriter: Sendable {
    /// What has been written so far.
    public private(set) var bytes: [UInt8]
    private var containers = ContainerStack()
    private var needsComma = false
    private var isAfterKey = false

    /// - Parameter capacity: How many bytes to make room for.
    public init(capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// Writes the text behind what `buffer` holds. Take it back with `finish`.
    public init(appendingTo buffer: consuming [UInt8]) {
        bytes = buffer
    }

    /// Gives back the buffer with one whole text.
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

    /// The name of the next member, whose value must follow. Nothing keeps a name from being written twice.
    public mutating func key(_ name: String) {
        precondition(containers.isInObject && !isAfterKey, "a key outside an object, or after a key")
        if needsComma {
            bytes.append(UInt8(ascii: ","))
        }
        bytes.appendJSONString(name.utf8Span.span)
        bytes.append(UInt8(ascii: ":"))
        isAfterKey = true
    }

    // MARK: Values

    /// A string. Control characters are escaped, U+2028 and U+2029 too, so that it is safe in a log line.
    public mutating func string(_ value: String) {
        string(utf8: value.utf8Span.span)
    }

    /// A string given as UTF-8; bytes that are none become U+FFFD.
    public mutating func string(utf8 value: Span<UInt8>) {
        beginValue()
        bytes.appendJSONString(value)
    }

    /// A string given as UTF-8; bytes that are none become U+FFFD.
    public mutating func string(utf8 value: [UInt8]) {
        string(utf8: value.span)
    }

    /// An integer of up to 64 bits.
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

    /// The shortest text that reads back as the same double. What JSON cannot say, infinity and NaN, becomes `null`,
    /// as in ECMAScript: a quotient by zero must not end the process.
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

    /// A value that is JSON already, written as it is: bytes that came from a reader's `skipValue`, or out of a
    /// `json` column. They are not checked.
    public mutating func raw(_ value: Span<UInt8>) {
        beginValue()
        bytes.append(contentsOf: value, from: 0, count: value.count)
    }

    /// A value that is JSON already, written as it is and not checked.
    public mutating func raw(_ value: [UInt8]) {
        beginValue()
        bytes.append(contentsOf: value)
    }

    /// A value that is JSON already, written as it is and not checked: `raw(reader.bytes[range])`.
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
        precondition(isAfterKey || !containers.isInObject, "a value without a key inside an object")
        if isAfterKey {
            isAfterKey = false
        } else if needsComma {
            precondition(containers.depth > 0, "a second value after the whole text")
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
