/// The commands of one group. Kept until the response, so that the group can be sent again.
struct GroupRequest {
    enum Body {
        case one(BoundStatement)
        case several([BoundStatement])
        case query(String, Parameters)
    }

    var body: Body
    /// A statement to send first, in the same group: `BEGIN`, or a setting of the transaction. If it fails, the rest of
    /// the group is not executed.
    var opening: BoundStatement?
    /// Whether the group is a transaction of its own. False within an explicit transaction, where a sync commits
    /// nothing.
    var isWholeTransaction: Bool
    /// Whether the group is the `COMMIT` of an explicit transaction.
    var isCommit = false

    /// Whether this group can commit anything.
    var canCommit: Bool { isWholeTransaction || isCommit }

    /// Why the request cannot be sent; nil if it is valid.
    var problem: String? {
        switch body {
        case .one: nil
        case .several(let members): members.isEmpty ? "a group of no statements" : nil
        case .query(_, let parameters): parameters.count > 65_535 ? "more than 65,535 parameters" : nil
        }
    }
}

/// The rows of a group's commands, in order. Optimised for one command, the usual case.
struct GroupAnswer: Sendable {
    private var first: Rows?
    private var others: [Rows] = []

    mutating func append(_ rows: Rows) {
        if first == nil { first = rows } else { others.append(rows) }
    }

    var all: [Rows] { first.map { [$0] + others } ?? [] }

    var last: Rows? { others.last ?? first }
}
