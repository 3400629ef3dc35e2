public import Values

/// A value that can be missing: of one column, or of several that are NULL together.
public protocol OptionalRowDecodable: RowDecodable {
    /// nil for NULL.
    static func readOptional(_ columns: inout ColumnCursor) throws(PostgresError) -> Self?
}

extension Optional: RowDecodable where Wrapped: OptionalRowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) { self = try Wrapped.readOptional(&columns) }
}

/// An element of an array column; a byte, whose array is the value of one column.
public protocol ArrayColumnElement {
    static func readArray(_ columns: inout ColumnCursor) throws(PostgresError) -> [Self]
    static func readOptionalArray(_ columns: inout ColumnCursor) throws(PostgresError) -> [Self]?
}

extension Array: RowDecodable where Element: ArrayColumnElement {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) { self = try Element.readArray(&columns) }
}

extension Array: OptionalRowDecodable where Element: ArrayColumnElement {
    public static func readOptional(_ columns: inout ColumnCursor) throws(PostgresError) -> [Element]? {
        try Element.readOptionalArray(&columns)
    }
}

extension UInt8: ArrayColumnElement {
    public static func readArray(_ columns: inout ColumnCursor) throws(PostgresError) -> [UInt8] { try columns.next() }
    public static func readOptionalArray(_ columns: inout ColumnCursor) throws(PostgresError) -> [UInt8]? {
        try columns.next()
    }
}

extension Int32: ArrayColumnElement {
    public static func readArray(_ columns: inout ColumnCursor) throws(PostgresError) -> [Int32] { try columns.next() }
    public static func readOptionalArray(_ columns: inout ColumnCursor) throws(PostgresError) -> [Int32]? {
        try columns.next()
    }
}

extension Int64: ArrayColumnElement {
    public static func readArray(_ columns: inout ColumnCursor) throws(PostgresError) -> [Int64] { try columns.next() }
    public static func readOptionalArray(_ columns: inout ColumnCursor) throws(PostgresError) -> [Int64]? {
        try columns.next()
    }
}

extension UUID: ArrayColumnElement {
    public static func readArray(_ columns: inout ColumnCursor) throws(PostgresError) -> [UUID] { try columns.next() }
    public static func readOptionalArray(_ columns: inout ColumnCursor) throws(PostgresError) -> [UUID]? {
        try columns.next()
    }
}

extension String: ArrayColumnElement {
    public static func readArray(_ columns: inout ColumnCursor) throws(PostgresError) -> [String] { try columns.next() }
    public static func readOptionalArray(_ columns: inout ColumnCursor) throws(PostgresError) -> [String]? {
        try columns.next()
    }
}

extension Bool: OptionalRowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) { self = try columns.next() }
    public static func readOptional(_ columns: inout ColumnCursor) throws(PostgresError) -> Bool? { try columns.next() }
}

extension Int16: OptionalRowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) { self = try columns.next() }
    public static func readOptional(_ columns: inout ColumnCursor) throws(PostgresError) -> Int16? {
        try columns.next()
    }
}

extension Int32: OptionalRowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) { self = try columns.next() }
    public static func readOptional(_ columns: inout ColumnCursor) throws(PostgresError) -> Int32? {
        try columns.next()
    }
}

extension Int64: OptionalRowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) { self = try columns.next() }
    public static func readOptional(_ columns: inout ColumnCursor) throws(PostgresError) -> Int64? {
        try columns.next()
    }
}

extension Double: OptionalRowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) { self = try columns.next() }
    public static func readOptional(_ columns: inout ColumnCursor) throws(PostgresError) -> Double? {
        try columns.next()
    }
}

extension UUID: OptionalRowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) { self = try columns.next() }
    public static func readOptional(_ columns: inout ColumnCursor) throws(PostgresError) -> UUID? { try columns.next() }
}

extension WallInstant: OptionalRowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) { self = try columns.next() }
    public static func readOptional(_ columns: inout ColumnCursor) throws(PostgresError) -> WallInstant? {
        try columns.next()
    }
}

extension String: OptionalRowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) { self = try columns.next() }
    public static func readOptional(_ columns: inout ColumnCursor) throws(PostgresError) -> String? {
        try columns.next()
    }
}
