/// The columns that make up an `Item`: one list, from which both a statement's text and its reader are made.
public struct ReadColumns<Item>: Sendable {
    private let columns: [ReadColumn<Item>]

    public init(_ columns: [ReadColumn<Item>]) {
        self.columns = columns
    }

    /// The list of a SELECT.
    public var sql: SQLFragment { SQLFragment(joining: columns.map(\.sql)) }

    /// Reads all of them, and fills the members of `item`.
    public func read(_ cursor: inout ColumnCursor, into item: inout Item) throws(PostgresError) {
        for column in columns { try column.read(&cursor, &item) }
    }
}

/// A column, or several that follow each other: the expressions that give them, and the member that they fill.
public struct ReadColumn<Item>: Sendable {
    let sql: SQLFragment
    let read: @Sendable (inout ColumnCursor, inout Item) throws(PostgresError) -> Void

    public init<Value: RowDecodable & Sendable>(
        _ sql: SQLFragment, _ member: any WritableKeyPath<Item, Value> & Sendable
    ) {
        self.sql = sql
        read = { (cursor, item) throws(PostgresError) in item[keyPath: member] = try Value(&cursor) }
    }

    /// NULL stands for `standard`.
    public init<Value: OptionalRowDecodable & Sendable>(
        _ sql: SQLFragment, _ member: any WritableKeyPath<Item, Value> & Sendable, default standard: Value
    ) {
        self.sql = sql
        read = { (cursor, item) throws(PostgresError) in
            item[keyPath: member] = try Value.readOptional(&cursor) ?? standard
        }
    }
}
