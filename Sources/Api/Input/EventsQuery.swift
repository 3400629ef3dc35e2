internal import HTTP

/// What `GET /api/jobs/{id}/events` is asked for.
struct EventsQuery {
    static let limitRange = 1...1_000
    static let limitStandard = 1_000
    static let names = ["limit", "cursor"]
    /// Before the number in a cursor: the version of its form.
    private static let cursorMark = "e"
    private static let offsetDigitsMax = 9

    var limit = Self.limitStandard
    /// Events of the pages before. New ones are only ever added behind, so their number is the place of the next page.
    var offset = 0

    /// Throws 400 with everything that is wrong.
    init(_ query: Query) throws(Problem) {
        var errors: [Problem.InvalidInput] = []
        var seen: [String] = []
        for item in query.items {
            guard let name = Self.names.first(where: { $0.utf8.elementsEqual(item.name.utf8) }) else {
                errors.append(.init(.parameter(item.name), "is unknown; known are limit, cursor"))
                continue
            }
            guard !seen.contains(name) else {
                errors.append(.init(.parameter(name), "is given more than once"))
                continue
            }
            seen.append(name)
            if let mistake = read(name, item.value) { errors.append(.init(.parameter(name), mistake)) }
        }
        guard errors.isEmpty else {
            throw Problem(.badRequest, "the query has \(errors.count == 1 ? "an error" : "errors")", errors: errors)
        }
    }

    /// Leads to the page after this one.
    var nextCursor: String { "\(Self.cursorMark)\(offset + limit)" }

    /// What is wrong with the value; nil if nothing is.
    private mutating func read(_ name: String, _ value: String) -> String? {
        if name == "limit" {
            let range = Self.limitRange
            guard let given = ListQuery.number(value.utf8, digitsMax: 4), range.contains(given) else {
                return "must be an integer from \(range.lowerBound) to \(range.upperBound)"
            }
            limit = given
        } else {
            guard value.utf8.starts(with: Self.cursorMark.utf8),
                let given = ListQuery.number(value.utf8.dropFirst(), digitsMax: Self.offsetDigitsMax)
            else { return "is not the next_cursor of an earlier answer" }
            offset = given
        }
        return nil
    }
}
