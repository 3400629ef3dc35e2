internal import HTTP

/// The parameters of `GET /api/jobs/{id}/events`.
struct EventsQuery {
    static let limitRange = 1...1_000
    static let limitStandard = 1_000
    /// The first character of a cursor: the version of its form.
    private static let cursorVersion = "e"
    private static let offsetMax = 999_999_999

    enum Parameter: String, CaseIterable {
        case limit, cursor
    }

    var limit = Self.limitStandard
    /// The number of events on the pages before. New events are only appended, so the offset of a page is stable.
    var offset = 0

    /// Throws 400 with all errors.
    init(_ query: Query) throws(Problem) {
        var reader = QueryReader(query)
        reader.read(Parameter.self) { reader, parameter in
            switch parameter {
            case .limit: limit = reader.integer(in: Self.limitRange) ?? limit
            case .cursor: offset = reader.cursor(Self.offset) ?? 0
            }
        }
        try reader.finish()
    }

    /// The cursor of the next page, after `count` events on this one.
    func cursor(after count: Int) -> String { "\(Self.cursorVersion)\(offset + count)" }

    private static func offset(of cursor: String) -> Int? {
        guard cursor.utf8.starts(with: cursorVersion.utf8),
            let offset = QueryReader.integer(ofDigits: cursor.utf8.dropFirst()), offset <= offsetMax
        else { return nil }
        return offset
    }
}
