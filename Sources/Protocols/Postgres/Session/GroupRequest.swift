/// What one group consists of. It is kept until the answer, so that it can be sent again.
struct GroupRequest {
    enum Body {
        case one(BoundStatement)
        case several([BoundStatement])
        case query(String, Parameters)
    }

    var body: Body
    /// `BEGIN` is to go in front, in the same group: should it fail, nothing after it runs.
    var opening: BoundStatement?
    /// Within an explicit transaction, nothing is committed by a sync.
    var isWholeTransaction: Bool
    /// The `COMMIT` of an explicit transaction.
    var isCommit = false

    /// Whether anything can be committed by this group.
    var canCommit: Bool { isWholeTransaction || isCommit }

    /// Why the request cannot be sent; nil if it can.
    var mistake: String? {
        switch body {
        case .one: nil
        case .several(let members): members.isEmpty ? "a group of no statements" : nil
        case .query(_, let parameters): parameters.count > 65_535 ? "more than 65,535 parameters" : nil
        }
    }
}

/// The rows of a group's commands, in order. Nearly always there is one.
struct GroupAnswer: Sendable {
    private var first: Rows?
    private var others: [Rows] = []

    mutating func append(_ rows: Rows) {
        if first == nil { first = rows } else { others.append(rows) }
    }

    var all: [Rows] { first.map { [$0] + others } ?? [] }

    var last: Rows? { others.last ?? first }
}
