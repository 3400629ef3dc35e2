internal import HTTP
internal import Pauses

/// What `GET /api/worker/control-history` is asked for.
struct PauseHistoryQuery {
    static let limitRange = 1...500
    private static let names = ["scope", "limit", "cursor"]

    var scope: PauseScope?
    var limit = 50
    /// Changes before this version.
    var before = Int64.max

    /// Throws 400 with everything that is wrong.
    init(_ query: Query) throws(Problem) {
        var errors: [Problem.InvalidInput] = []
        var seen: Set<String> = []
        for item in query.items {
            if !Self.names.contains(item.name) {
                errors.append(
                    .init(.parameter(item.name), "is unknown; known are \(Self.names.joined(separator: ", "))"))
            } else if !seen.insert(item.name).inserted {
                errors.append(.init(.parameter(item.name), "is given more than once"))
            } else if let mistake = read(item.name, item.value) {
                errors.append(.init(.parameter(item.name), mistake))
            }
        }
        guard errors.isEmpty else {
            throw Problem(.badRequest, "the query has \(errors.count == 1 ? "an error" : "errors")", errors: errors)
        }
    }

    private mutating func read(_ name: String, _ value: String) -> String? {
        switch name {
        case "scope":
            scope = PauseScope(value)
            return scope == nil ? "must be all, queue:NAME or type:NAME" : nil
        case "limit":
            limit = Self.number(value).flatMap { Int(exactly: $0) } ?? 0
            let range = Self.limitRange
            return range.contains(limit) ? nil : "must be an integer from \(range.lowerBound) to \(range.upperBound)"
        default:
            before = Self.number(value) ?? 0
            return before > 0 ? nil : "is not the next_cursor of an earlier answer"
        }
    }

    /// Of decimal digits and nothing else.
    private static func number(_ text: String) -> Int64? {
        let digits = text.utf8
        guard (1...18).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }
}
