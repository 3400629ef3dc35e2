public import EventLoop
internal import Values

/// One session with PostgreSQL, always in pipeline mode, belonging to one loop.
///
/// Any number of tasks of that loop may call `execute` at the same time. What they send goes out at once, in the
/// order of the calls, each in a transaction of its own; the server works in that order, and an error stays with its
/// statement. `transaction` needs the connection for itself: whoever begins one must be its only user, which a pool
/// sees to.
///
/// A call returns when the commit is confirmed. When the connection is lost every call in flight fails with
/// `.connectionLost`, which tells whether the commit may have happened. A call whose deadline passes fails at once;
/// the server is then asked to cancel it, and if it does not answer within the grace that `DatabaseSettings` gives,
/// the connection counts as lost.
///
/// Cancelling a task does not take back what was sent: its call ends by answer or deadline.
///
/// Why `@unchecked Sendable`: everything is confined to the loop's thread, which every submitter checks.
public final class DatabaseConnection: @unchecked Sendable {
    public let loop: Loop
    /// The process of the server that serves this session (`pg_stat_activity.pid`).
    public let serverProcessID: Int32
    /// Such as 150012 for 15.12.
    public let serverVersion: Int32

    let settings: DatabaseSettings
    let handle: ConnectionHandle
    var pipeline = Pipeline()
    private var watch: Watch?
    private var isWaitingToWrite = false
    private(set) var isHandleClosed = false
    private var deadlineTimer: LoopTimer?
    private var timerInstant = MonotonicInstant.distantFuture
    /// Since when the server has been asked to cancel the oldest group, which its caller has given up.
    private var overdueSince: MonotonicInstant?
    /// Until then a cancelled statement may be one that the request was not meant for: the server cancels what it
    /// happens to run when the request arrives. Such a statement is sent again.
    private var strayCancelUntil = MonotonicInstant(nanoseconds: 0)

    /// Why the connection is unusable; nil while it is open.
    public private(set) var closeReason: PostgresError?
    /// Called once, on the loop, when the connection is closed or lost.
    var onClose: ((PostgresError) -> Void)?
    /// Called on the loop for each notification, in order.
    var onNotification: ((Notification) -> Void)?

    /// How long a given-up statement may go on before the connection is given up too.
    private static let cancelGrace = Duration.seconds(2)

    /// Takes a connected handle.
    init(handle: ConnectionHandle, settings: DatabaseSettings, loop: Loop) throws(PostgresError) {
        self.handle = handle
        self.settings = settings
        self.loop = loop
        serverProcessID = handle.serverProcessID
        serverVersion = handle.serverVersion
        try handle.enterPipelineMode()
        guard let descriptor = handle.descriptor else {
            throw .connectionFailed(reason: handle.errorMessage)
        }
        do {
            watch = try loop.watch(descriptor, .readable) { [weak self] _ in self?.socketIsReady() }
        } catch {
            throw .connectionFailed(reason: "\(error)")
        }
        deadlineTimer = loop.timer { [weak self] in self?.checkDeadlines() }
    }

    deinit {
        if !isHandleClosed { handle.close() }
    }

    public var isOpen: Bool { closeReason == nil }

    /// Calls that the server has not answered yet.
    public var inFlightCount: Int { pipeline.count }

    /// True between `BEGIN` and `COMMIT`, as far as the server's answers tell.
    var isInTransaction: Bool { !isHandleClosed && handle.isInTransaction }

    /// Ends the session. What is in flight fails as if the connection were lost. Idempotent.
    public func close() {
        loop.preconditionCurrent()
        end(.closed, reason: "closed by this process", sessionEnded: false)
    }

    // MARK: Sending

    /// Sends a group, and waits for the answer to its sync.
    func send(_ request: GroupRequest, timeout: Duration?) async throws(PostgresError) -> GroupAnswer {
        loop.preconditionCurrent()
        if let closeReason { throw closeReason.beforeSending }
        if let mistake = request.mistake { throw .misuse(mistake) }
        let allowed = timeout ?? settings.statementTimeout + settings.answerGrace
        let deadline = loop.now + allowed
        let result = await withUnsafeContinuation { continuation in
            write(Pipeline.Group(request: request, deadline: deadline, continuation: continuation))
        }
        return try result.get()
    }

    private func write(_ group: Pipeline.Group) {
        var isPlaced = false
        do throws(PostgresError) {
            if let opening = group.request.opening { try write(opening, Parameters()) }
            switch group.request.body {
            case .one(let statement, let parameters):
                try write(statement, parameters)
            case .several(let members):
                for (statement, parameters) in members { try write(statement, parameters) }
            case .query(let sql, let parameters):
                pipeline.placeQuery()
                try handle.sendQuery(sql, parameters)
            }
            pipeline.close(group)
            isPlaced = true
            try handle.sendSync()
            try flush()
            armDeadlineTimer(for: group.deadline)
        } catch {
            // Without its sync nothing of the group can be committed.
            if !isPlaced { group.continuation?.resume(returning: .failure(error.beforeSending)) }
            lose(handle.errorMessage)
        }
    }

    private func write(_ statement: Statement, _ parameters: Parameters) throws(PostgresError) {
        let (generation, mustPrepare) = pipeline.place(statement)
        let serverName = statement.serverName(generation: generation)
        if mustPrepare { try handle.sendPrepare(serverName, statement.sql, statement.parameterTypes) }
        try handle.sendExecute(serverName, parameters)
    }

    private func flush() throws(PostgresError) {
        let isDone = try handle.flush()
        guard isDone == isWaitingToWrite, !handle.isBroken else { return }
        isWaitingToWrite = !isDone
        watch?.setInterest(isDone ? .readable : [.readable, .writable])
    }

    // MARK: Receiving

    private func socketIsReady() {
        guard isOpen else { return }
        do throws(PostgresError) {
            try handle.consumeInput()
            takeResults()
            guard isOpen else { return }
            if isWaitingToWrite { try flush() }
            takeNotifications()
        } catch {
            // What came before the end is still to be read: answers, and the server's reason.
            takeResults()
            if isOpen { lose(handle.errorMessage) }
        }
    }

    private func takeResults() {
        while isOpen, !pipeline.isEmpty, !handle.isBusy {
            let result = handle.nextResult()
            guard let kind = Pipeline.ResultKind(result) else {
                return lose(result?.errorText ?? handle.errorMessage)
            }
            switch pipeline.receive(kind, rows: result.map { Rows(handle: $0) }) {
            case .goOn: continue
            case .answered(let group): answer(group)
            case .sendAgain(let group): sendAgain(group)
            case .sessionEnded(let error): endSession(error)
            case .outOfOrder(let what): lose("protocol: \(what)")
            }
        }
    }

    private func answer(_ group: Pipeline.Group) {
        guard let continuation = group.continuation else {
            // Given up before; if the next one is too, the server has its grace for that one now.
            overdueSince = nil
            armDeadlineTimer(for: loop.now)
            return
        }
        if group.failure?.sqlState == .queryCanceled, group.request.isWholeTransaction, !group.isRepeated,
            loop.now < strayCancelUntil
        {
            return sendAgain(group)
        }
        continuation.resume(returning: group.failure.map { .failure($0) } ?? .success(group.answer))
    }

    private func sendAgain(_ group: Pipeline.Group) {
        var group = group
        group.isRepeated = true
        group.failure = nil
        group.answer = GroupAnswer()
        write(group)
    }

    private func takeNotifications() {
        while isOpen, let notification = handle.nextNotification() {
            onNotification?(notification)
        }
    }

    // MARK: Deadlines

    /// The timer stands at the earliest deadline of those ever in flight, so it mostly finds nothing to do, and costs
    /// one look in each timeout instead of one timer in each call.
    private func armDeadlineTimer(for deadline: MonotonicInstant) {
        guard deadline < timerInstant else { return }
        timerInstant = deadline
        deadlineTimer?.arm(at: deadline)
    }

    private func checkDeadlines() {
        guard isOpen else { return }
        timerInstant = .distantFuture
        let now = loop.now
        for (continuation, outcomeUnknown) in pipeline.expire(at: now) {
            continuation.resume(returning: .failure(.deadlineExceeded(outcomeUnknown: outcomeUnknown)))
        }
        if let oldest = pipeline.groups.first, oldest.continuation == nil {
            let limit = (overdueSince ?? now) + Self.cancelGrace
            guard now < limit else { return lose("no answer, even to a request to cancel") }
            if overdueSince == nil { cancelOldest(at: now) }
            armDeadlineTimer(for: limit)
        }
        if let next = pipeline.earliestDeadline { armDeadlineTimer(for: next) }
    }

    private func cancelOldest(at now: MonotonicInstant) {
        overdueSince = now
        strayCancelUntil = now + Self.cancelGrace
        handle.requestCancel()
    }

    // MARK: The end

    private func lose(_ reason: String) {
        let error = PostgresError.connectionLost(reason: reason, outcomeUnknown: false)
        end(error, reason: reason, sessionEnded: false)
    }

    private func endSession(_ error: ServerError) {
        let reason = error.description
        end(.connectionLost(reason: reason, outcomeUnknown: false), reason: reason, sessionEnded: true)
    }

    private func end(_ error: PostgresError, reason: String, sessionEnded: Bool) {
        guard isOpen else { return }
        closeReason = error
        watch?.cancel()
        watch = nil
        deadlineTimer?.cancel()
        deadlineTimer = nil
        handle.close()
        isHandleClosed = true
        for (group, error) in pipeline.fail(reason: reason, sessionEnded: sessionEnded) {
            group.continuation?.resume(returning: .failure(error))
        }
        onClose?(error)
        onClose = nil
        onNotification = nil
    }
}

extension Pipeline.ResultKind {
    /// Nil for a result that libpq made itself, as the connection is lost, and for those of COPY, which has no place
    /// in a pipeline.
    init?(_ result: ResultHandle?) {
        guard let result else {
            self = .none
            return
        }
        switch result.outcome {
        case .success: self = .success
        case .aborted: self = .aborted
        case .sync: self = .sync
        case .serverError: self = .failure(result.serverError)
        case .other: return nil
        }
    }
}

extension PostgresError {
    /// What a call gets that finds the connection closed already.
    var beforeSending: PostgresError {
        if case .connectionLost(let reason, _) = self {
            .connectionLost(reason: reason, outcomeUnknown: false)
        } else {
            self
        }
    }
}
