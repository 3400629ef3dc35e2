import EventLoop
internal import Values

/// The commands of a connection that are in flight, and the meaning of each result. Pure: performs no input or output.
///
/// The unit is the *group*: commands that end with one sync. Outside of an explicit transaction a group is a
/// transaction, which PostgreSQL commits when it processes the sync. A group is therefore complete with the response to
/// its sync, not with those to its commands: the commit can still fail (a deferred constraint, a full disk), and the
/// error then replaces the response to the sync.
struct Pipeline {
    /// A command for which libpq returns results, in the order of sending.
    enum Step {
        case prepare(StatementDefinition, generation: Int)
        case execute(StatementDefinition, generation: Int)
        /// A statement without a name.
        case query
        case sync
    }

    struct Group {
        var request: GroupRequest
        var deadline: MonotonicInstant
        /// Whether to ask the server to cancel it when its deadline has passed.
        var isCancellable = false
        /// Nil after the caller was resumed, which can be at the deadline, before the response of the server.
        var continuation: UnsafeContinuation<Result<GroupAnswer, PostgresError>, Never>?
        var answer = GroupAnswer()
        var failure: PostgresError?
        /// Whether the group has been sent a second time because of a stale plan.
        var isResent = false
    }

    /// The kind of a result of libpq.
    enum ResultKind {
        case success
        case failure(ServerError)
        /// Not executed, because an earlier command of the group failed.
        case aborted
        case sync
        /// The end of a command's results.
        case none
    }

    enum Outcome {
        /// The oldest group is not complete.
        case `continue`
        /// The oldest group is complete and has been removed.
        case answered(Group)
        /// The oldest group failed because of the connection's state and has been removed. To be sent again.
        case resend(Group)
        /// The server has ended the session.
        case sessionEnded(ServerError)
        /// The result is not possible at this position.
        case protocolViolation(String)
    }

    private var steps = FIFO<Step>()
    private(set) var groups = FIFO<Group>()
    /// Number of groups written so far.
    private(set) var writtenCount = 0
    /// The oldest command has returned its result; the end of its results is still expected.
    private var hasResultOfHead = false
    private(set) var prepared = PreparedStatements()

    /// Number of groups in flight.
    var count: Int { groups.count }
    var isEmpty: Bool { groups.isEmpty }
    /// Number of groups with a complete answer; the position of the last one among all that were written.
    var answeredCount: Int { writtenCount - groups.count }

    /// Adds the execution of a statement. Returns the generation of its name, and whether it must be prepared first.
    mutating func place(_ statement: StatementDefinition) -> (generation: Int, mustPrepare: Bool) {
        if let generation = prepared.usableGeneration(of: statement) {
            steps.append(.execute(statement, generation: generation))
            return (generation, false)
        }
        let generation = prepared.prepare(statement)
        steps.append(.prepare(statement, generation: generation))
        steps.append(.execute(statement, generation: generation))
        return (generation, true)
    }

    /// Adds the execution of an unnamed statement.
    mutating func enqueueQuery() {
        steps.append(.query)
    }

    /// Adds a sync, which ends the group.
    mutating func close(_ group: Group) {
        steps.append(.sync)
        groups.append(group)
        writtenCount += 1
    }

    /// Processes the next result.
    /// - Parameter rows: the result's rows, evaluated if they belong to the oldest group.
    mutating func receive(_ kind: ResultKind, rows: @autoclosure () -> Rows?) -> Outcome {
        guard let step = steps.first else { return .protocolViolation("a result without a command") }
        if case .sync = step { return receiveAtSync(kind) }
        switch kind {
        case .sync:
            return .protocolViolation("a sync before the results of its commands")
        case .none:
            guard hasResultOfHead else { return .protocolViolation("a command without a result") }
            hasResultOfHead = false
            _ = steps.popFirst()
            return .continue
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
        return .continue
    }

    private mutating func receiveAtSync(_ kind: ResultKind) -> Outcome {
        switch kind {
        case .failure(let error):
            if groups[0].failure == nil { groups[0].failure = .server(error) }
            hasResultOfHead = true
            return error.isFatal ? .sessionEnded(error) : .continue
        case .none:
            guard hasResultOfHead else { return .protocolViolation("no result where a sync was expected") }
            hasResultOfHead = false
            return .continue
        case .sync:
            hasResultOfHead = false
            _ = steps.popFirst()
            guard var group = groups.popFirst() else { return .protocolViolation("a sync without a group") }
            guard mustResend(group) else { return .answered(group) }
            group.isResent = true
            return .resend(group)
        case .success, .aborted:
            return .protocolViolation("a result where a sync was expected")
        }
    }

    /// Records a failure. If the prepared statement does not exist (26000) or its plan does not match the tables any
    /// more (0A000 of the plan cache), it is invalidated, and prepared again under another name.
    private mutating func fail(_ error: ServerError, at step: Step) {
        if groups[0].failure == nil { groups[0].failure = .server(error) }
        switch step {
        case .prepare(let statement, let generation):
            prepared.invalidate(statement, generation: generation)
        case .execute(let statement, let generation) where error.isStalePlan:
            prepared.invalidate(statement, generation: generation)
        case .execute, .query, .sync:
            break
        }
    }

    /// Whether the group is not committed and failed because of a stale plan, so that it is sent again, once.
    private func mustResend(_ group: Group) -> Bool {
        guard !group.isResent, group.continuation != nil, group.request.isWholeTransaction,
            case .server(let error) = group.failure
        else { return false }
        return error.isStalePlan
    }

    /// Removes every group after the loss of the connection. Returns each group with its error.
    ///
    /// - Parameter sessionEnded: whether the server reported the end of the session instead of a result. It works in
    ///   order, so groups without a result were not executed, except that the oldest one may be committed if only the
    ///   response to its commit is missing.
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

    /// Returns the callers whose deadline has passed, to be resumed. Their groups stay in the pipeline until the server
    /// responds.
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

    /// The earliest deadline of a waiting caller.
    var earliestDeadline: MonotonicInstant? {
        var earliest: MonotonicInstant?
        for index in 0..<groups.count where groups[index].continuation != nil {
            earliest = min(earliest ?? .distantFuture, groups[index].deadline)
        }
        return earliest
    }
}

extension ServerError {
    /// Whether the prepared statement or its cached plan is invalid, and not the statement itself.
    var isStalePlan: Bool {
        sqlState == .invalidStatementName
            || sqlState == .featureNotSupported && sourceFunction == "RevalidateCachedQuery"
    }
}
