/// The rows that a statement returned, in binary form. They are decoded when they are asked for.
///
/// A value that is decoded copies its bytes: it may outlive this object, which owns the memory of the result. May be
/// handed to another thread.
public struct Rows: Sendable {
    let handle: ResultHandle

    public var count: Int { handle.rowCount }
    public var isEmpty: Bool { count == 0 }

    /// Rows that an INSERT, UPDATE, DELETE or MERGE has changed, or a SELECT has returned.
    public var affectedRowCount: Int { handle.affectedRowCount }

    /// The tag of the command, such as `COMMIT`.
    var commandTag: String { handle.commandTag }

    /// Every row as one `Value`, in order.
    ///
    /// Inlinable, so that the loop is specialised for `Value` in the module of the caller: a lease decodes thousands of
    /// rows.
    /// - Throws: `.unexpectedValue`, naming the column, if a column is not what `Value` reads, or is not read.
    @inlinable
    public func decode<Value: RowDecodable>(as type: Value.Type = Value.self) throws(PostgresError) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(count)
        for index in 0..<count { values.append(try decode(row: index)) }
        return values
    }

    /// Every row as a tuple: `for (id, count) in try rows.decode((Int32, Int64).self)`.
    public func decode<each Value: RowDecodable>(
        _ types: (repeat each Value).Type
    ) throws(PostgresError) -> [(repeat each Value)] {
        var values: [(repeat each Value)] = []
        values.reserveCapacity(count)
        for index in 0..<count {
            var columns = ColumnCursor(self, row: index)
            values.append((repeat try (each Value)(&columns)))
            try columns.finish()
        }
        return values
    }

    /// The first row; nil if there is none.
    @inlinable
    public func decodeFirst<Value: RowDecodable>(as type: Value.Type = Value.self) throws(PostgresError) -> Value? {
        isEmpty ? nil : try decode(row: 0)
    }

    public func decodeFirst<each Value: RowDecodable>(
        _ types: (repeat each Value).Type
    ) throws(PostgresError) -> (repeat each Value)? {
        try decode(types).first
    }

    /// The only row of a statement that returns exactly one.
    /// - Throws: `.misuse` if there is another number of rows.
    @inlinable
    public func decodeOnly<Value: RowDecodable>(as type: Value.Type = Value.self) throws(PostgresError) -> Value {
        try requireOneRow()
        return try decode(row: 0)
    }

    public func decodeOnly<each Value: RowDecodable>(
        _ types: (repeat each Value).Type
    ) throws(PostgresError) -> (repeat each Value) {
        try requireOneRow()
        return try decode(types)[0]
    }

    @inlinable
    func decode<Value: RowDecodable>(row index: Int) throws(PostgresError) -> Value {
        var columns = ColumnCursor(self, row: index)
        let value = try Value(&columns)
        try columns.finish()
        return value
    }

    @usableFromInline
    func requireOneRow() throws(PostgresError) {
        guard count == 1 else { throw .misuse("a statement returned \(count) rows where one was expected") }
    }
}

/// A value that is read from one column of a row, or from several that follow each other.
///
/// A type that is made from a row reads its columns in the order of its statement's list:
///
/// ```swift
/// extension HeldLease: RowDecodable {
///     init(_ columns: inout ColumnCursor) throws(PostgresError) {
///         id = try columns.next()
///         token = try columns.next()
///     }
/// }
/// let leases: [HeldLease] = try rows.decode()
/// ```
public protocol RowDecodable {
    init(_ columns: inout ColumnCursor) throws(PostgresError)
}
