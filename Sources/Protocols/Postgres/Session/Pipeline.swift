import EventLoop
internal import Values

/// What a connection has sent and not yet been answered, and what each answer means. Pure: it touches no socket.
///
/// The unit is the *group*: commands that end in one sync. Outside an explicit transaction a group is a transaction,
/// which PostgreSQL commits when it reads the sync. So a group is answered by the answer to its sync, never by those
/// to its commands: between the two the commit can still fail (a deferred constraint, a full disk), and the error
/// then comes in the place of the sync's answer.
struct Pipeline {
    /// One thing that libpq will answer, in the order of sending.
    enum Step {
        case prepare(Statement, generation: Int)
        case execute(Statement, generation: Int)
        /// A statement without a name.
        case query
        case sync
    }

    struct Group {
        var request: GroupRequest
        var deadline: MonotonicInstant
        /// Gone once the caller has been answered, which a deadline can do before the server does.
        var continuation: UnsafeContinuation<Result<GroupAnswer, PostgresError>, Never>?
        var answer = GroupAnswer()
        var failure: PostgresError?
        /// Sent a second time already.
        var isRepeated = false
    }

    /// What a result is, as far as the order of things is concerned.
    enum ResultKind {
        case success
        /// The server reports an error.
        case failure(ServerError)
        case aborted
        case sync
        /// The end of a command's results.
        case none
    }

    enum Outcome {
        case goOn
        /// The oldest group is answered, and has been taken out.
        case answered(Group)
        /// The oldest group failed through no fault of its own, and has been taken out: to be sent again.
        case sendAgain(Group)
        /// The server has ended the session.
        case sessionEnded(ServerError)
        /// Not what a server can answer here.
        case outOfOrder(String)
    }

    private var steps = FIFO<Step>()
    private(set) var groups = FIFO<Group>()
    /// The oldest command has had its result, and its end is awaited.
    private var hasResultOfHead = false
    private(set) var prepared = PreparedStatements()

    /// Groups in flight.
    var count: Int { groups.count }
    var isEmpty: Bool { groups.isEmpty }

    /// The name under which to execute the statement, and whether it must be prepared first.
    mutating func place(_ statement: Statement) -> (generation: Int, mustPrepare: Bool) {
        if let generation = prepared.usableGeneration(of: statement) {
            steps.append(.execute(statement, generation: generation))
            return (generation, false)
        }
        let generation = prepared.prepare(statement)
        steps.append(.prepare(statement, generation: generation))
        steps.append(.execute(statement, generation: generation))
        return (generation, true)
    }

    mutating func placeQuery() {
        steps.append(.query)
    }

    mutating func close(_ group: Group) {
        steps.append(.sync)
        groups.append(group)
    }

    /// - Parameter takeRows: called with the result's rows if the oldest group wants them.
    mutating func receive(_ kind: ResultKind, rows: @autoclosure () -> Rows?) -> Outcome {
        guard let step = steps.first else { return .outOfOrder("a result that nobody asked for") }
        if case .sync = step { return receiveAtSync(kind) }
        switch kind {
        case .sync:
            return .outOfOrder("a sync before its commands were answered")
        case .none:
            guard hasResultOfHead else { return .outOfOrder("a command without a result") }
            hasResultOfHead = false
            _ = steps.popFirst()
            return .goOn
        case .success:
            if case .prepare = step {} else if let rows = rows() { groups[0].answer.append(rows) }
        case .aborted:
            if case .prepare(let statement, let generation) = step {
                prepared.invalidate(statement, generation: generation)
            }
        case .failure(let error):
            fail(error, at: step)
            if error.isFatal { return .sessionEnded(error) }
        }
        hasResultOfHead = true
        return .goOn
    }

    private mutating func receiveAtSync(_ kind: ResultKind) -> Outcome {
        switch kind {
        case .failure(let error):
            if groups[0].failure == nil { groups[0].failure = .server(error) }
            hasResultOfHead = true
            return error.isFatal ? .sessionEnded(error) : .goOn
        case .none:
            guard hasResultOfHead else { return .outOfOrder("nothing where a sync was expected") }
            hasResultOfHead = false
            return .goOn
        case .sync:
            hasResultOfHead = false
            _ = steps.popFirst()
            guard let group = groups.popFirst() else { return .outOfOrder("a sync without a group") }
            return isWorthRepeating(group) ? .sendAgain(group) : .answered(group)
        case .success, .aborted:
            return .outOfOrder("a result where a sync was expected")
        }
    }

    /// A prepared statement is gone (26000) or its plan no longer fits its tables (0A000 of the plan cache): the
    /// connection forgets it, and prepares it anew under another name.
    private mutating func fail(_ error: ServerError, at step: Step) {
        if groups[0].failure == nil { groups[0].failure = .server(error) }
        switch step {
        case .prepare(let statement, let generation):
            prepared.invalidate(statement, generation: generation)
        case .execute(let statement, let generation) where error.meansStalePlan:
            prepared.invalidate(statement, generation: generation)
        case .execute, .query, .sync:
            break
        }
    }

    /// Nothing of the group is committed, and its failure was the connection's: send it again, once.
    private func isWorthRepeating(_ group: Group) -> Bool {
        guard !group.isRepeated, group.continuation != nil, group.request.isWholeTransaction,
            case .server(let error) = group.failure
        else { return false }
        return error.meansStalePlan
    }

    /// Takes out every group, as the connection is lost.
    ///
    /// - Parameter sessionEnded: the server itself ended the session, in place of an answer. It works in order, so
    ///   what it has not answered it has not done; except that it may have committed the oldest group if that was at
    ///   its commit.
    mutating func fail(reason: String, sessionEnded: Bool) -> [(Group, PostgresError)] {
        var headMayBeCommitted = true
        if case .sync = steps.first {} else if let head = groups.first { headMayBeCommitted = head.request.isCommit }
        var failed: [(Group, PostgresError)] = []
        while let group = groups.popFirst() {
            let isHead = failed.isEmpty
            let mayBeDone = !sessionEnded || isHead && headMayBeCommitted
            let outcomeUnknown = group.request.canCommit && mayBeDone
            var error = PostgresError.connectionLost(reason: reason, outcomeUnknown: outcomeUnknown)
            if case .server(let earlier) = group.failure, !earlier.isFatal { error = .server(earlier) }
            failed.append((group, error))
        }
        steps = FIFO()
        hasResultOfHead = false
        prepared = PreparedStatements()
        return failed
    }

    /// Answers those whose deadline has passed; they stay in their places until the server answers too.
    mutating func expire(
        at now: MonotonicInstant
    ) -> [(continuation: UnsafeContinuation<Result<GroupAnswer, PostgresError>, Never>, outcomeUnknown: Bool)] {
        var expired: [(UnsafeContinuation<Result<GroupAnswer, PostgresError>, Never>, Bool)] = []
        for index in 0..<groups.count where groups[index].deadline <= now {
            guard let continuation = groups[index].continuation else { continue }
            groups[index].continuation = nil
            expired.append((continuation, groups[index].request.canCommit))
        }
        return expired
    }

    /// The next instant at which a caller must be answered.
    var earliestDeadline: MonotonicInstant? {
        var earliest: MonotonicInstant?
        for index in 0..<groups.count where groups[index].continuation != nil {
            earliest = min(earliest ?? .distantFuture, groups[index].deadline)
        }
        return earliest
    }
}

extension ServerError {
    /// The prepared statement or its plan is at fault, not the statement.
    var meansStalePlan: Bool {
        sqlState == .invalidStatementName
            || sqlState == .featureNotSupported && sourceFunction == "RevalidateCachedQuery"
    }
}
