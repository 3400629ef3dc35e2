public import Values

/// The rows returned by a statement, in binary format, decoded on access.
///
/// Owns the memory of the result; a `Row` keeps it alive. May be passed to another thread.
public struct Rows: RandomAccessCollection, Sendable {
    let handle: ResultHandle

    public var startIndex: Int { 0 }
    public var endIndex: Int { handle.rowCount }

    public subscript(position: Int) -> Row {
        precondition(position >= 0 && position < handle.rowCount, "row \(position) of \(handle.rowCount)")
        return Row(handle: handle, index: position)
    }

    /// Number of rows changed by INSERT, UPDATE, DELETE or MERGE, or returned by SELECT.
    public var affectedRowCount: Int { handle.affectedRowCount }

    /// The command tag, such as `COMMIT`.
    var commandTag: String { handle.commandTag }

    /// The only row. Throws `.misuse` unless the statement returned exactly one row.
    public func onlyRow() throws(PostgresError) -> Row {
        guard count == 1 else { throw .misuse("a statement returned \(count) rows where one was expected") }
        return self[0]
    }
}

/// One row. Columns are counted from 0. Every accessor throws `.unexpectedValue` if the column does not exist or has
/// another type; accessors without the prefix `optional` also if it is NULL.
public struct Row: Sendable {
    let handle: ResultHandle
    let index: Int

    public func bool(_ column: Int) throws(PostgresError) -> Bool { try required(column) }
    public func int2(_ column: Int) throws(PostgresError) -> Int16 { try required(column) }
    public func int4(_ column: Int) throws(PostgresError) -> Int32 { try required(column) }
    public func int8(_ column: Int) throws(PostgresError) -> Int64 { try required(column) }
    public func float8(_ column: Int) throws(PostgresError) -> Double { try required(column) }
    public func uuid(_ column: Int) throws(PostgresError) -> UUID { try required(column) }
    public func timestamptz(_ column: Int) throws(PostgresError) -> WallInstant { try required(column) }
    /// `text`, `varchar`, `char`, `name` or `json`.
    public func text(_ column: Int) throws(PostgresError) -> String { try required(column) }
    /// The bytes of `text`, `varchar`, `char`, `name`, `json` or `bytea`.
    public func bytes(_ column: Int) throws(PostgresError) -> [UInt8] { try required(column) }

    public func optionalBool(_ column: Int) throws(PostgresError) -> Bool? { try optional(column) }
    public func optionalInt2(_ column: Int) throws(PostgresError) -> Int16? { try optional(column) }
    public func optionalInt4(_ column: Int) throws(PostgresError) -> Int32? { try optional(column) }
    public func optionalInt8(_ column: Int) throws(PostgresError) -> Int64? { try optional(column) }
    public func optionalFloat8(_ column: Int) throws(PostgresError) -> Double? { try optional(column) }
    public func optionalUUID(_ column: Int) throws(PostgresError) -> UUID? { try optional(column) }
    public func optionalTimestamptz(_ column: Int) throws(PostgresError) -> WallInstant? { try optional(column) }
    public func optionalText(_ column: Int) throws(PostgresError) -> String? { try optional(column) }
    public func optionalBytes(_ column: Int) throws(PostgresError) -> [UInt8]? { try optional(column) }

    /// Appends the result of `bytes(column)` to a buffer, without a temporary array.
    public func appendBytes(_ column: Int, to buffer: inout [UInt8]) throws(PostgresError) {
        guard let value = try field(column, as: [UInt8].self) else { throw unexpectedNull(column) }
        buffer.append(contentsOf: value)
    }

    public func isNull(_ column: Int) throws(PostgresError) -> Bool {
        try checkColumn(column)
        return handle.value(row: index, column: column) == nil
    }

    func required<Value: BinaryValue>(_ column: Int) throws(PostgresError) -> Value {
        guard let value: Value = try optional(column) else { throw unexpectedNull(column) }
        return value
    }

    func optional<Value: BinaryValue>(_ column: Int) throws(PostgresError) -> Value? {
        guard let field = try field(column, as: Value.self) else { return nil }
        guard let value = Value(binary: field) else {
            throw .unexpectedValue(column: column, reason: "a \(Value.postgresType) that cannot be represented")
        }
        return value
    }

    private func field<Value: BinaryValue>(
        _ column: Int, as type: Value.Type
    ) throws(PostgresError) -> UnsafeRawBufferPointer? {
        try checkColumn(column)
        let found = handle.columnType(column)
        guard found == Value.postgresType || Row.isReadable(found, as: Value.self) else {
            throw .unexpectedValue(column: column, reason: "is \(found), read as \(Value.postgresType)")
        }
        return handle.value(row: index, column: column)
    }

    private static func isReadable<Value: BinaryValue>(_ type: PostgresType, as: Value.Type) -> Bool {
        type.isText && (Value.postgresType == .text || Value.postgresType == .bytea)
    }

    func checkColumn(_ column: Int) throws(PostgresError) {
        guard column >= 0 && column < handle.columnCount else {
            throw .unexpectedValue(column: column, reason: "the result has \(handle.columnCount) columns")
        }
    }

    func unexpectedNull(_ column: Int) -> PostgresError {
        .unexpectedValue(column: column, reason: "is NULL")
    }
}
