internal import HTTP
internal import JSON

/// The parameters of `GET /api/queues`.
struct QueueListQuery {
    static let limitRange = 1...500
    static let limitStandard = 100

    enum Parameter: String, CaseIterable {
        case prefix, limit, cursor
    }

    /// Of the names; empty: all.
    var prefix = ""
    var limit = Self.limitStandard
    var cursor: QueueCursor?

    /// Throws 400 with all errors.
    init(_ query: Query) throws(Problem) {
        var reader = QueryReader(query)
        reader.read(Parameter.self) { reader, parameter in
            switch parameter {
            case .prefix: prefix = reader.text(.name) ?? prefix
            case .limit: limit = reader.integer(in: Self.limitRange) ?? limit
            case .cursor: cursor = reader.cursor(QueueCursor.init)
            }
        }
        try reader.finish()
    }
}

/// The position of the next page of queues. Clients treat it as opaque; it is a letter for the version of this form,
/// and the name of the last queue of the page before.
struct QueueCursor: Equatable {
    let last: String

    private static let version: Character = "q"

    init(after last: String) {
        self.last = last
    }

    /// nil if `text` is not such a cursor.
    init?(_ text: String) {
        guard text.first == Self.version, TextRule.name.accepts(String(text.dropFirst())) else { return nil }
        last = String(text.dropFirst())
    }

    var text: String { "\(Self.version)\(last)" }
}
