public import Values

/// The parameter values for one execution of a statement, in binary format in one buffer.
///
/// The first value appended is `$1`. Each value has a type. A `Statement` creates them from the values that it is
/// called with; a text composed at run time is executed with values appended one by one:
///
/// ```swift
/// var parameters = Parameters()
/// parameters.append(id)                                   // uuid
/// parameters.append(text: "default")
/// ```
public struct Parameters: Sendable {
    struct Slot: Sendable {
        let type: PostgresType
        /// Number of bytes of the value; -1 for NULL.
        let byteCount: Int32
    }

    private(set) var bytes: [UInt8] = []
    private(set) var slots: [Slot] = []

    public init() {}

    @usableFromInline
    mutating func reserve(bytes byteCount: Int) {
        if byteCount > 0 { bytes.reserveCapacity(bytes.count + byteCount) }
    }

    /// Number of values appended.
    public var count: Int { slots.count }

    public mutating func append(_ value: Bool) { appendValue(value) }
    public mutating func append(_ value: Int16) { appendValue(value) }
    public mutating func append(_ value: Int32) { appendValue(value) }
    public mutating func append(_ value: Int64) { appendValue(value) }
    public mutating func append(_ value: Double) { appendValue(value) }
    public mutating func append(_ value: UUID) { appendValue(value) }
    public mutating func append(_ value: WallInstant) { appendValue(value) }

    public mutating func append(_ value: Bool?) { appendOptional(value) }
    public mutating func append(_ value: Int16?) { appendOptional(value) }
    public mutating func append(_ value: Int32?) { appendOptional(value) }
    public mutating func append(_ value: Int64?) { appendOptional(value) }
    public mutating func append(_ value: Double?) { appendOptional(value) }
    public mutating func append(_ value: UUID?) { appendOptional(value) }
    public mutating func append(_ value: WallInstant?) { appendOptional(value) }

    /// `text`. PostgreSQL rejects U+0000 in it (SQLSTATE 22021).
    public mutating func append(text value: String) { appendValue(value) }
    public mutating func append(text value: String?) { appendOptional(value) }

    /// `text` from bytes of UTF-8.
    public mutating func append(textBytes value: [UInt8]) { appendBytes(value, .text) }

    /// `json` from the bytes of a JSON text, which PostgreSQL validates and stores unchanged.
    public mutating func append(json value: [UInt8]) { appendBytes(value, .json) }
    public mutating func append(json value: [UInt8]?) {
        if let value { appendBytes(value, .json) } else { appendNull(.json) }
    }

    /// `bytea`.
    public mutating func append(bytea value: [UInt8]) { appendBytes(value, .bytea) }
    public mutating func append(bytea value: [UInt8]?) {
        if let value { appendBytes(value, .bytea) } else { appendNull(.bytea) }
    }

    /// NULL, of any type.
    public mutating func appendNull(_ type: PostgresType) {
        slots.append(Slot(type: type, byteCount: -1))
    }

    public mutating func append(_ values: [Bool]) { appendArrayOf(values) }
    public mutating func append(_ values: [Int16]) { appendArrayOf(values) }
    public mutating func append(_ values: [Int32]) { appendArrayOf(values) }
    public mutating func append(_ values: [Int64]) { appendArrayOf(values) }
    public mutating func append(_ values: [Double]) { appendArrayOf(values) }
    public mutating func append(_ values: [UUID]) { appendArrayOf(values) }
    public mutating func append(_ values: [WallInstant]) { appendArrayOf(values) }
    /// `text[]`.
    public mutating func append(_ values: [String]) { appendArrayOf(values) }

    /// A one-dimensional array with the elements that `body` appends; empty if it appends none.
    ///
    /// For the columns of a batch: it needs no temporary array, and no allocation for an element.
    /// - Parameter element: the type of the elements, which must have an array type in `PostgresType`.
    public mutating func appendArray(of element: PostgresType, _ body: (inout ArrayWriter) -> Void) {
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        let start = taken.count
        var writer = ArrayWriter(element: element, appendingTo: consume taken)
        body(&writer)
        bytes = writer.finish()
        slots.append(Slot(type: element.array, byteCount: Int32(bytes.count - start)))
    }

    private mutating func appendValue(_ value: some BinaryValue) {
        let start = bytes.count
        value.appendBinary(to: &bytes)
        slots.append(Slot(type: type(of: value).postgresType, byteCount: Int32(bytes.count - start)))
    }

    private mutating func appendOptional<Value: BinaryValue>(_ value: Value?) {
        if let value { appendValue(value) } else { appendNull(Value.postgresType) }
    }

    private mutating func appendBytes(_ value: [UInt8], _ type: PostgresType) {
        bytes.append(contentsOf: value)
        slots.append(Slot(type: type, byteCount: Int32(value.count)))
    }

    private mutating func appendArrayOf<Value: BinaryValue>(_ values: [Value]) {
        appendArray(of: Value.postgresType) { writer in
            for value in values { writer.appendElement(value) }
        }
    }
}

extension PostgresType {
    /// The array type of this type, for supported element types.
    public var array: PostgresType {
        switch self {
        case .bool: return .boolArray
        case .bytea: return .byteaArray
        case .int2: return .int2Array
        case .int4: return .int4Array
        case .int8: return .int8Array
        case .float8: return .float8Array
        case .text: return .textArray
        case .json: return .jsonArray
        case .uuid: return .uuidArray
        case .timestamptz: return .timestamptzArray
        default: preconditionFailure("arrays of \(self) are not supported")
        }
    }
}
