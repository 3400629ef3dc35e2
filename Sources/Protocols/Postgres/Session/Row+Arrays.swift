internal import Telemetry
public import Values

/// Accessors for one-dimensional arrays, with NULL elements as nil. They throw like the accessors of single values. A
/// NULL array is an error.
extension Row {
    public func boolArray(_ column: Int) throws(PostgresError) -> [Bool?] { try array(column) }
    public func int2Array(_ column: Int) throws(PostgresError) -> [Int16?] { try array(column) }
    public func int4Array(_ column: Int) throws(PostgresError) -> [Int32?] { try array(column) }
    public func int8Array(_ column: Int) throws(PostgresError) -> [Int64?] { try array(column) }
    public func float8Array(_ column: Int) throws(PostgresError) -> [Double?] { try array(column) }
    public func uuidArray(_ column: Int) throws(PostgresError) -> [UUID?] { try array(column) }
    public func timestamptzArray(_ column: Int) throws(PostgresError) -> [WallInstant?] { try array(column) }
    /// `text[]` or `json[]`.
    public func textArray(_ column: Int) throws(PostgresError) -> [String?] { try array(column) }
    /// `text[]`, `json[]` or `bytea[]`.
    public func bytesArray(_ column: Int) throws(PostgresError) -> [[UInt8]?] { try array(column) }

    private func array<Element: BinaryValue>(_ column: Int) throws(PostgresError) -> [Element?] {
        try checkColumn(column)
        let type = handle.columnType(column)
        guard let element = type.element, Row.isElement(element, readableAs: Element.postgresType) else {
            throw .unexpectedValue(column: column, reason: "is \(type), read as \(Element.postgresType)[]")
        }
        guard let value = handle.value(row: index, column: column) else { throw unexpectedNull(column) }
        guard let elements = ArrayReader.elements(of: value, as: Element.self) else {
            throw .unexpectedValue(column: column, reason: "is a \(type) that is malformed or not one-dimensional")
        }
        return elements
    }

    private static func isElement(_ element: PostgresType, readableAs wanted: PostgresType) -> Bool {
        element == wanted || element.isText && (wanted == .text || wanted == .bytea)
    }
}

/// Decodes the binary format of arrays, which is described in `ArrayWriter`.
enum ArrayReader {
    private static let headerByteCount = 20

    /// Nil if the array has more than one dimension or is malformed.
    static func elements<Element: BinaryValue>(
        of value: UnsafeRawBufferPointer, as type: Element.Type
    ) -> [Element?]? {
        guard let dimensions = value.bigEndian(Int32.self) else { return nil }
        if dimensions == 0 { return [] }
        guard dimensions == 1, let count = value.bigEndian(Int32.self, at: 12), count >= 0 else { return nil }
        var elements: [Element?] = []
        elements.reserveCapacity(min(Int(count), value.count / 4))
        var offset = headerByteCount
        for _ in 0..<count {
            guard let length = value.bigEndian(Int32.self, at: offset) else { return nil }
            offset += 4
            if length < 0 {
                elements.append(nil)
                continue
            }
            guard value.count - offset >= Int(length),
                let element = Element(binary: UnsafeRawBufferPointer(rebasing: value[offset..<offset + Int(length)]))
            else { return nil }
            elements.append(element)
            offset += Int(length)
        }
        return elements
    }
}
