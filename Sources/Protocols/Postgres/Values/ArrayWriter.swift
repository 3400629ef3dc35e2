public import Values

/// Appends the elements of an array to the buffer of a `Parameters`.
///
/// The binary format (`array_send` in PostgreSQL's `arrayfuncs.c`) is the number of dimensions, a flag for the presence
/// of NULL, the element type, the length and lower bound of the dimension, then each element preceded by its length.
/// Length and flag are written at the end.
public struct ArrayWriter: ~Copyable {
    private let element: PostgresType
    private let headerOffset: Int
    private var bytes: [UInt8]
    private var hasNull = false

    /// Number of elements appended.
    public private(set) var count = 0

    init(element: PostgresType, appendingTo bytes: consuming [UInt8]) {
        self.element = element
        headerOffset = bytes.count
        self.bytes = consume bytes
        self.bytes.appendBigEndian(Int32(1))
        self.bytes.appendBigEndian(Int32(0))
        self.bytes.appendBigEndian(element.rawValue)
        self.bytes.appendBigEndian(Int32(0))
        self.bytes.appendBigEndian(Int32(1))
    }

    public mutating func append(_ value: Bool) { appendElement(value) }
    public mutating func append(_ value: Int16) { appendElement(value) }
    public mutating func append(_ value: Int32) { appendElement(value) }
    public mutating func append(_ value: Int64) { appendElement(value) }
    public mutating func append(_ value: Double) { appendElement(value) }
    public mutating func append(_ value: UUID) { appendElement(value) }
    public mutating func append(_ value: WallInstant) { appendElement(value) }

    public mutating func append(_ value: Bool?) { appendOptional(value) }
    public mutating func append(_ value: Int16?) { appendOptional(value) }
    public mutating func append(_ value: Int32?) { appendOptional(value) }
    public mutating func append(_ value: Int64?) { appendOptional(value) }
    public mutating func append(_ value: Double?) { appendOptional(value) }
    public mutating func append(_ value: UUID?) { appendOptional(value) }
    public mutating func append(_ value: WallInstant?) { appendOptional(value) }

    /// An element of an array of `text`.
    public mutating func append(text value: String) { appendElement(value) }
    public mutating func append(text value: String?) { appendOptional(value) }

    /// An element of an array of `text` (UTF-8), `json` or `bytea`.
    public mutating func append(bytes value: [UInt8]) {
        requireBytes()
        bytes.appendBigEndian(Int32(value.count))
        bytes.append(contentsOf: value)
        count += 1
    }

    public mutating func append(bytes value: [UInt8]?) {
        if let value { append(bytes: value) } else { appendNull() }
    }

    public mutating func appendNull() {
        bytes.appendBigEndian(Int32(-1))
        hasNull = true
        count += 1
    }

    mutating func appendElement<Value: BinaryValue>(_ value: Value) {
        precondition(Value.postgresType == element, "\(Value.postgresType) in an array of \(element)")
        let lengthOffset = bytes.count
        bytes.appendBigEndian(Int32(0))
        value.appendBinary(to: &bytes)
        bytes.overwriteBigEndian(Int32(bytes.count - lengthOffset - 4), at: lengthOffset)
        count += 1
    }

    private mutating func appendOptional<Value: BinaryValue>(_ value: Value?) {
        if let value { appendElement(value) } else { appendNull() }
    }

    private func requireBytes() {
        precondition(element.isText || element == .bytea, "bytes in an array of \(element)")
    }

    consuming func finish() -> [UInt8] {
        bytes.overwriteBigEndian(hasNull ? 1 : 0, at: headerOffset + 4)
        bytes.overwriteBigEndian(Int32(count), at: headerOffset + 12)
        return bytes
    }
}
