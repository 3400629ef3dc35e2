public import Values

/// Reads the columns of one row from left to right, each once.
///
/// `next()` decodes the next column as the type that the context asks for. It throws `.unexpectedValue`, with the name
/// of the column, if the row has no further column, if the column has another type, or if it is NULL and the type is
/// not optional. `Rows.decode` and its siblings check that every column was read, so that a statement's list and its
/// reader cannot differ by a column.
///
/// The overloads are concrete, so that none needs specialisation in the module of the caller to be fast.
public struct ColumnCursor {
    private let handle: ResultHandle
    private let row: Int
    /// The column that is read next, counted from 0.
    private var index = 0

    @usableFromInline
    init(_ rows: Rows, row: Int) {
        handle = rows.handle
        self.row = row
    }

    // MARK: One value

    public mutating func next() throws(PostgresError) -> Bool { try required() }
    public mutating func next() throws(PostgresError) -> Int16 { try required() }
    public mutating func next() throws(PostgresError) -> Int32 { try required() }
    public mutating func next() throws(PostgresError) -> Int64 { try required() }
    public mutating func next() throws(PostgresError) -> Double { try required() }
    public mutating func next() throws(PostgresError) -> UUID { try required() }
    public mutating func next() throws(PostgresError) -> WallInstant { try required() }
    /// `text`, `varchar`, `char`, `name` or `json`.
    public mutating func next() throws(PostgresError) -> String { try required() }
    /// The bytes of `text`, `varchar`, `char`, `name`, `json` or `bytea`.
    public mutating func next() throws(PostgresError) -> [UInt8] { try required() }

    public mutating func next() throws(PostgresError) -> Bool? { try optional() }
    public mutating func next() throws(PostgresError) -> Int16? { try optional() }
    public mutating func next() throws(PostgresError) -> Int32? { try optional() }
    public mutating func next() throws(PostgresError) -> Int64? { try optional() }
    public mutating func next() throws(PostgresError) -> Double? { try optional() }
    public mutating func next() throws(PostgresError) -> UUID? { try optional() }
    public mutating func next() throws(PostgresError) -> WallInstant? { try optional() }
    public mutating func next() throws(PostgresError) -> String? { try optional() }
    public mutating func next() throws(PostgresError) -> [UInt8]? { try optional() }

    /// A text that `parse` accepts: `try columns.next(parsing: JobStatus.init(rawValue:))`.
    public mutating func next<Value>(parsing parse: (String) -> Value?) throws(PostgresError) -> Value {
        let column = index
        let text: String = try required()
        guard let value = parse(text) else { throw unexpected(column, "is \"\(text)\"; expected a \(Value.self)") }
        return value
    }

    // MARK: One-dimensional arrays

    // A NULL among the elements is nil, or an error where the elements are not optional.

    public mutating func next() throws(PostgresError) -> [Bool?] { try requiredArray() }
    public mutating func next() throws(PostgresError) -> [Int16?] { try requiredArray() }
    public mutating func next() throws(PostgresError) -> [Int32?] { try requiredArray() }
    public mutating func next() throws(PostgresError) -> [Int64?] { try requiredArray() }
    public mutating func next() throws(PostgresError) -> [Double?] { try requiredArray() }
    public mutating func next() throws(PostgresError) -> [UUID?] { try requiredArray() }
    public mutating func next() throws(PostgresError) -> [WallInstant?] { try requiredArray() }
    /// `text[]` or `json[]`.
    public mutating func next() throws(PostgresError) -> [String?] { try requiredArray() }
    /// `text[]`, `json[]` or `bytea[]`.
    public mutating func next() throws(PostgresError) -> [[UInt8]?] { try requiredArray() }

    public mutating func next() throws(PostgresError) -> [Int32] { try fullArray() }
    public mutating func next() throws(PostgresError) -> [Int64] { try fullArray() }
    public mutating func next() throws(PostgresError) -> [UUID] { try fullArray() }
    public mutating func next() throws(PostgresError) -> [String] { try fullArray() }

    public mutating func next() throws(PostgresError) -> [Int32]? { try optionalFullArray() }
    public mutating func next() throws(PostgresError) -> [Int64]? { try optionalFullArray() }
    public mutating func next() throws(PostgresError) -> [UUID]? { try optionalFullArray() }
    public mutating func next() throws(PostgresError) -> [String]? { try optionalFullArray() }

    // MARK: Columns that are left out

    /// Goes on with the column of this name: those before it hold nothing, as one that was read says.
    public mutating func skip(to name: String) {
        while index < handle.columnCount, handle.columnName(index) != name { index += 1 }
    }

    /// Leaves out the columns that follow: they hold nothing, as one that was read says.
    public mutating func skipRest() {
        index = handle.columnCount
    }

    @usableFromInline
    func finish() throws(PostgresError) {
        guard index == handle.columnCount else { throw unexpected(index, "was not read") }
    }

    // MARK: Decoding

    private mutating func required<Value: BinaryValue>() throws(PostgresError) -> Value {
        guard let value: Value = try optional() else { throw unexpectedNull(expected: Value.postgresType) }
        return value
    }

    private mutating func optional<Value: BinaryValue>() throws(PostgresError) -> Value? {
        let column = try take()
        let type = handle.columnType(column)
        guard type.isReadable(as: Value.postgresType) else {
            throw unexpected(column, "is \(type); expected \(Value.postgresType)")
        }
        guard let bytes = handle.value(row: row, column: column) else { return nil }
        guard let value = Value(binary: bytes) else {
            throw unexpected(column, "holds a \(type) that cannot be represented")
        }
        return value
    }

    /// nil for NULL.
    private mutating func array<Element: BinaryValue>() throws(PostgresError) -> [Element?]? {
        let column = try take()
        let type = handle.columnType(column)
        guard let element = type.element, element.isReadable(as: Element.postgresType) else {
            throw unexpected(column, "is \(type); expected \(Element.postgresType)[]")
        }
        guard let bytes = handle.value(row: row, column: column) else { return nil }
        guard let elements = ArrayReader.elements(of: bytes, as: Element.self) else {
            throw unexpected(column, "holds an array of \(element) that is not one-dimensional")
        }
        return elements
    }

    private mutating func requiredArray<Element: BinaryValue>() throws(PostgresError) -> [Element?] {
        guard let elements: [Element?] = try array() else {
            throw unexpectedNull(expected: Element.postgresType.array)
        }
        return elements
    }

    private mutating func fullArray<Element: BinaryValue>() throws(PostgresError) -> [Element] {
        let elements: [Element?] = try requiredArray()
        return try withoutNull(elements)
    }

    private mutating func optionalFullArray<Element: BinaryValue>() throws(PostgresError) -> [Element]? {
        guard let elements: [Element?] = try array() else { return nil }
        return try withoutNull(elements)
    }

    /// The elements of the array that was read last.
    private func withoutNull<Element: BinaryValue>(_ elements: [Element?]) throws(PostgresError) -> [Element] {
        var values: [Element] = []
        values.reserveCapacity(elements.count)
        for element in elements {
            guard let element else { throw unexpected(index - 1, "has an element that is NULL") }
            values.append(element)
        }
        return values
    }

    private mutating func take() throws(PostgresError) -> Int {
        let column = index
        guard column < handle.columnCount else {
            throw .unexpectedValue(
                column: "\(column + 1)", reason: "does not exist: the result has \(handle.columnCount) columns")
        }
        index += 1
        return column
    }

    private func unexpected(_ column: Int, _ reason: String) -> PostgresError {
        .unexpectedValue(column: handle.columnName(column), reason: reason)
    }

    /// Of the column that was read last.
    private func unexpectedNull(expected type: PostgresType) -> PostgresError {
        unexpected(index - 1, "is NULL; expected \(type)")
    }
}

extension PostgresType {
    /// The binary forms of all text types are the bytes of the text itself.
    fileprivate func isReadable(as wanted: PostgresType) -> Bool {
        self == wanted || isText && (wanted == .text || wanted == .bytea)
    }
}

/// Reads the form that `ArrayWriter` describes.
private enum ArrayReader {
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
