public import Values

/// The columns of a batch: rows that a statement takes as parallel arrays, one parameter for each column, and reads
/// with `unnest`. Names, types, parameters and encoding all come from this one list.
public struct ColumnBatch<Item>: Sendable {
    public let columns: [BatchColumn<Item>]

    public init(_ columns: [BatchColumn<Item>]) {
        self.columns = columns
    }

    public static func + (left: ColumnBatch, right: ColumnBatch) -> ColumnBatch {
        ColumnBatch(left.columns + right.columns)
    }

    /// `id, token`.
    public var names: SQLFragment { SQLFragment(joining: columns.map(\.name)) }

    /// The columns as a table stores them: `id, backoff_kind::backoff_kind`.
    public var values: SQLFragment {
        SQLFragment(
            joining: columns.map { column in
                column.target.map { "\(sql: column.name)::\(sql: $0)" } ?? column.name
            })
    }

    /// `unnest($1::uuid[], $2::bigint[]) AS g (id, token)`.
    /// - Parameters:
    ///   - names: some of the columns; by default all of them.
    ///   - first: the number of the batch's first parameter.
    public func unnest(_ names: SQLFragment..., from first: Int = 1) -> SQLFragment {
        let names = names.isEmpty ? columns.map(\.name) : names
        let arrays = SQLFragment(joining: names.map { array($0, from: first) })
        return "unnest(\(sql: arrays)) AS g (\(sql: SQLFragment(joining: names)))"
    }

    /// The arrays of all columns, for an `unnest` that has further arguments: `$1::uuid[], $2::bigint[]`.
    public var arrays: SQLFragment { SQLFragment(joining: columns.map { array($0.name, from: 1) }) }

    /// The parameters of some columns: `$1, $2, $11`.
    public func parameters(_ names: SQLFragment...) -> SQLFragment {
        SQLFragment(joining: names.map { SQLFragment(parameter: 1 + position(of: $0)) })
    }

    /// The parameter after those of the batch: `$12`.
    public var nextParameter: SQLFragment { SQLFragment(parameter: columns.count + 1) }

    private func array(_ name: SQLFragment, from first: Int) -> SQLFragment {
        let position = position(of: name)
        return "\(sql: SQLFragment(parameter: first + position))::\(sql: columns[position].element.arrayName)"
    }

    private func position(of name: SQLFragment) -> Int {
        guard let position = columns.firstIndex(where: { $0.name.text == name.text }) else {
            preconditionFailure("a batch has no column \(name.text)")
        }
        return position
    }
}

/// One column of a batch: its name, its type, and its value in an item.
///
/// The constructors are inlinable, so that the loop over the items is specialised for `Item` in the module of the
/// caller and reads only the member that it encodes: a batch may have a thousand items of twenty members.
public struct BatchColumn<Item>: Sendable {
    let name: SQLFragment
    @usableFromInline let element: PostgresType
    /// The type of the table's column, if a value must be cast to it.
    let target: SQLFragment?
    @usableFromInline let encode: @Sendable ([Item], inout ArrayWriter) -> Void

    @usableFromInline
    init(
        _ name: SQLFragment, _ element: PostgresType, as target: SQLFragment? = nil,
        _ encode: @escaping @Sendable ([Item], inout ArrayWriter) -> Void
    ) {
        self.name = name
        self.element = element
        self.target = target
        self.encode = encode
    }

    @inlinable
    public static func bool(_ name: SQLFragment, _ value: @escaping @Sendable (Item) -> Bool?) -> BatchColumn {
        BatchColumn(name, .bool) { items, writer in for item in items { writer.append(value(item)) } }
    }

    @inlinable
    public static func int2(_ name: SQLFragment, _ value: @escaping @Sendable (Item) -> Int16?) -> BatchColumn {
        BatchColumn(name, .int2) { items, writer in for item in items { writer.append(value(item)) } }
    }

    @inlinable
    public static func int4(_ name: SQLFragment, _ value: @escaping @Sendable (Item) -> Int32?) -> BatchColumn {
        BatchColumn(name, .int4) { items, writer in for item in items { writer.append(value(item)) } }
    }

    @inlinable
    public static func int8(_ name: SQLFragment, _ value: @escaping @Sendable (Item) -> Int64?) -> BatchColumn {
        BatchColumn(name, .int8) { items, writer in for item in items { writer.append(value(item)) } }
    }

    @inlinable
    public static func float8(_ name: SQLFragment, _ value: @escaping @Sendable (Item) -> Double?) -> BatchColumn {
        BatchColumn(name, .float8) { items, writer in for item in items { writer.append(value(item)) } }
    }

    @inlinable
    public static func uuid(_ name: SQLFragment, _ value: @escaping @Sendable (Item) -> UUID?) -> BatchColumn {
        BatchColumn(name, .uuid) { items, writer in for item in items { writer.append(value(item)) } }
    }

    @inlinable
    public static func timestamptz(_ name: SQLFragment, _ value: @escaping @Sendable (Item) -> WallInstant?)
        -> BatchColumn
    {
        BatchColumn(name, .timestamptz) { items, writer in for item in items { writer.append(value(item)) } }
    }

    /// - Parameter target: another type of the table's column, such as an enumeration.
    @inlinable
    public static func text(
        _ name: SQLFragment, as target: SQLFragment? = nil, _ value: @escaping @Sendable (Item) -> String?
    ) -> BatchColumn {
        BatchColumn(name, .text, as: target) { items, writer in for item in items { writer.append(text: value(item)) } }
    }

    /// The bytes of JSON texts.
    @inlinable
    public static func json(_ name: SQLFragment, _ value: @escaping @Sendable (Item) -> [UInt8]?) -> BatchColumn {
        BatchColumn(name, .json) { items, writer in for item in items { writer.append(bytes: value(item)) } }
    }

    @inlinable
    public static func bytea(_ name: SQLFragment, _ value: @escaping @Sendable (Item) -> [UInt8]?) -> BatchColumn {
        BatchColumn(name, .bytea) { items, writer in for item in items { writer.append(bytes: value(item)) } }
    }

    /// Arrays of texts, each as PostgreSQL writes one (documentation, "Array Input and Output Syntax"), since `unnest`
    /// takes no arrays of arrays. NULL for an empty one.
    @inlinable
    public static func textArray(
        _ name: SQLFragment, _ value: @escaping @Sendable (Item) -> [String]
    ) -> BatchColumn {
        BatchColumn(name, .text, as: "text[]") { items, writer in
            for item in items { writer.append(text: ArrayLiteral.text(value(item))) }
        }
    }
}

/// A batch's rows: what a statement that takes a batch is called with.
public struct Batch<Columns: BatchColumns>: StatementInput {
    @usableFromInline let items: [Columns.Item]
    @usableFromInline let byteCount: Int

    /// - Parameter byteCount: an estimate of the bytes that all values will take.
    @inlinable
    public init(_ items: [Columns.Item], reservingBytes byteCount: Int = 0) {
        self.items = items
        self.byteCount = byteCount
    }

    public static var parameterTypes: [PostgresType] { Columns.columns.columns.map(\.element.array) }

    @inlinable
    public func append(to parameters: inout Parameters) {
        parameters.reserve(bytes: byteCount)
        for column in Columns.columns.columns {
            parameters.appendArray(of: column.element) { column.encode(items, &$0) }
        }
    }
}

/// A list of columns, by which `Batch` and a statement's text refer to it.
public protocol BatchColumns: Sendable {
    associatedtype Item: Sendable
    static var columns: ColumnBatch<Item> { get }
}

extension SQLFragment {
    fileprivate init(parameter number: Int) {
        self.init(trusted: "$\(number)")
    }
}

extension PostgresType {
    /// Of the array type, in SQL: `bigint[]`.
    fileprivate var arrayName: SQLFragment {
        let name =
            switch self {
            case .int2: "smallint"
            case .int4: "int"
            case .int8: "bigint"
            default: description
            }
        return SQLFragment(trusted: name + "[]")
    }
}

@usableFromInline
enum ArrayLiteral {
    /// nil for none.
    @usableFromInline
    static func text(_ texts: [String]) -> String? {
        guard !texts.isEmpty else { return nil }
        var literal: [UInt8] = [UInt8(ascii: "{")]
        for text in texts {
            if literal.count > 1 { literal.append(UInt8(ascii: ",")) }
            literal.append(UInt8(ascii: "\""))
            for byte in text.utf8 {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { literal.append(UInt8(ascii: "\\")) }
                literal.append(byte)
            }
            literal.append(UInt8(ascii: "\""))
        }
        literal.append(UInt8(ascii: "}"))
        return String(decoding: literal, as: UTF8.self)
    }
}
