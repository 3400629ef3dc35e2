/// The commands of one group. Kept until the response, so that the group can be sent again.
struct GroupRequest {
    enum Body {
        case one(Statement, Parameters)
        case several([(Statement, Parameters)])
        case query(String, Parameters)
    }

    var body: Body
    /// The `BEGIN` to send first, in the same group. If it fails, the rest of the group is not executed.
    var opening: Statement?
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
        case .one(let statement, let parameters):
            statement.problem(in: parameters)
        case .several(let members):
            members.isEmpty ? "a group has no statements" : members.lazy.compactMap { $0.problem(in: $1) }.first
        case .query(_, let parameters):
            parameters.count > 65_535 ? "more than 65,535 parameters" : nil
        }
    }
}

extension Statement {
    /// Checks the types of the parameters, because PostgreSQL would misinterpret a binary value of another type, or
    /// reject it with an unclear message.
    fileprivate func problem(in parameters: Parameters) -> String? {
        guard parameters.slots.count == parameterTypes.count else {
            return "statement \(name) has \(parameterTypes.count) parameters, but \(parameters.count) were given"
        }
        for (index, slot) in parameters.slots.enumerated() where slot.type != parameterTypes[index] {
            return
                "parameter $\(index + 1) of statement \(name) has type \(parameterTypes[index]), but \(slot.type) was given"
        }
        return nil
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
