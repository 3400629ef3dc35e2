public import EventLoop
internal import Values

/// A session with PostgreSQL in pipeline mode, on one event loop.
///
/// Any number of tasks of the loop may call `execute` at the same time. Statements are sent at once, in the order of
/// the calls, each in a transaction of its own. The server executes them in that order, and an error affects only its
/// statement. `transaction` requires exclusive use of the connection, which a pool ensures. `Pipeline` tracks which
/// response belongs to which call, and what a call may assume after a failure.
///
/// States: open, then closed (`closeReason`, final) by `close`, by a loss, or by a deadline that the server ignores.
///
/// A call returns after the commit is confirmed. If the connection is lost, every call in flight fails with
/// `.connectionLost`, which states whether the commit is possible. Deadlines are taken from the monotonic clock. A call
/// whose deadline passes fails at once; the server is then asked to cancel the statement, if the deadline comes before
/// the server's own, and if it does not respond within `cancelGrace`, the connection counts as lost. A cancel request
/// may hit another statement instead; a statement cancelled in that way is sent again (`StrayCancel`).
///
/// Cancelling a task does not withdraw a statement that was sent. Its call ends with the response or the deadline.
///
/// `@unchecked Sendable`, because it is confined to the thread of its loop, which its entry points check.
public final class DatabaseConnection: @unchecked Sendable {
    public let loop: Loop
    /// Process id of the server process of this session (`pg_stat_activity.pid`).
    public let serverProcessID: Int32
    /// Version of the server, such as 150012 for 15.12.
    public let serverVersion: Int32

    let settings: DatabaseSettings
    let handle: ConnectionHandle
    var pipeline = Pipeline()
    private var watch: Watch?
    private var isWaitingToWrite = false
    private(set) var isHandleClosed = false
    private var deadlineTimer: LoopTimer?
    private var timerInstant = MonotonicInstant.distantFuture
    /// Time of the cancel request for the oldest group, whose deadline has passed; nil if there is none.
    private var overdueSince: MonotonicInstant?
    private var strayCancel = StrayCancel()

    /// Why the connection was closed or lost; nil while it is open.
    public private(set) var closeReason: PostgresError?
    /// Called once, on the loop, when the connection is closed or lost.
    var onClose: ((PostgresError) -> Void)?
    /// Called on the loop for each notification, in order.
    var onNotification: ((Notification) -> Void)?

    /// Time for the server to respond to a cancel request, before the connection counts as lost.
    private static let cancelGrace = Duration.seconds(2)

    /// Takes ownership of a connected handle.
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

    /// Number of calls without a response from the server.
    public var inFlightCount: Int { pipeline.count }

    /// Whether a cancel request is on its way, which could hit any statement.
    var isCancelPending: Bool { strayCancel.isPending }

    /// Whether the session is in a transaction, according to the responses received so far.
    var isInTransaction: Bool { !isHandleClosed && handle.isInTransaction }

    /// Closes the connection. Calls in flight fail as if it were lost. Idempotent.
    public func close() {
        loop.preconditionCurrent()
        end(.closed, reason: "closed by this process", sessionEnded: false)
    }

    // MARK: Sending

    /// Sends a group and waits for the response to its sync.
    func send(_ request: GroupRequest, timeout: Duration?) async throws(PostgresError) -> GroupAnswer {
        loop.preconditionCurrent()
        if let closeReason { throw closeReason.beforeSending }
        if let problem = request.problem { throw .misuse(problem) }
        let deadline = loop.now + (timeout ?? settings.statementTimeout + settings.answerGrace)
        let result = await withUnsafeContinuation { continuation in
            write(
                Pipeline.Group(
                    request: request, deadline: deadline, isCancellable: isCancellable(timeout),
                    continuation: continuation))
        }
        return try result.get()
    }

    /// Only a call with a deadline before that of the server: the server ends any other statement by itself, except a
    /// commit that waits for a synchronous standby. A cancel request would end that wait, and PostgreSQL would report
    /// success.
    private func isCancellable(_ timeout: Duration?) -> Bool {
        guard let timeout else { return false }
        return settings.statementTimeout == .zero || timeout < settings.statementTimeout
    }

    private func write(_ group: Pipeline.Group) {
        var isEnqueued = false
        do throws(PostgresError) {
            if let opening = group.request.opening { try write(opening) }
            switch group.request.body {
            case .one(let statement): try write(statement)
            case .several(let statements): for statement in statements { try write(statement) }
            case .query(let sql, let parameters):
                pipeline.enqueueQuery()
                try handle.sendQuery(sql, parameters)
            }
            pipeline.close(group)
            isEnqueued = true
            try handle.sendSync()
            try flush()
            armDeadlineTimer(for: group.deadline)
        } catch {
            // Without its sync the group cannot be committed.
            if !isEnqueued { group.continuation?.resume(returning: .failure(error.beforeSending)) }
            lose(handle.errorMessage)
        }
    }

    private func write(_ bound: BoundStatement) throws(PostgresError) {
        let statement = bound.definition
        let (generation, mustPrepare) = pipeline.place(statement)
        let serverName = statement.serverName(generation: generation)
        if mustPrepare { try handle.sendPrepare(serverName, statement.sql, statement.parameterTypes) }
        try handle.sendExecute(serverName, bound.parameters)
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
            processResults()
            guard isOpen else { return }
            if isWaitingToWrite { try flush() }
            deliverNotifications()
        } catch {
            // Responses and the server's reason may have arrived before the end of the connection.
            processResults()
            if isOpen { lose(handle.errorMessage) }
        }
    }

    private func processResults() {
        while isOpen, !pipeline.isEmpty, !handle.isBusy {
            let result = handle.nextResult()
            guard let kind = Pipeline.ResultKind(result) else {
                return lose(result?.errorText ?? handle.errorMessage)
            }
            switch pipeline.receive(kind, rows: result.map { Rows(handle: $0) }) {
            case .continue: continue
            case .answered(let group): complete(group)
            case .resend(let group): resend(group)
            case .sessionEnded(let error): endSession(error)
            case .protocolViolation(let violation): lose("protocol violation: \(violation)")
            }
        }
    }

    private func complete(_ group: Pipeline.Group) {
        let isUnconfirmed = handle.takeUnconfirmedCommit()
        guard let continuation = group.continuation else {
            // The call has failed at its deadline. If the next one is overdue too, its grace starts now.
            overdueSince = nil
            armDeadlineTimer(for: loop.now)
            return
        }
        if group.failure?.sqlState == .queryCanceled, group.request.isWholeTransaction,
            strayCancel.mayHit(pipeline.answeredCount)
        {
            return resend(group)
        }
        if let failure = group.failure {
            continuation.resume(returning: .failure(failure))
        } else if isUnconfirmed, group.request.canCommit {
            let reason = "no synchronous standby has confirmed the commit"
            continuation.resume(returning: .failure(.connectionLost(reason: reason, outcomeUnknown: true)))
        } else {
            continuation.resume(returning: .success(group.answer))
        }
    }

    private func resend(_ group: Pipeline.Group) {
        var group = group
        group.failure = nil
        group.answer = GroupAnswer()
        write(group)
    }

    private func deliverNotifications() {
        while isOpen, let notification = handle.nextNotification() {
            onNotification?(notification)
        }
    }

    // MARK: Deadlines

    /// Arms the timer for the earliest deadline. It is not rearmed when a call completes, so that a call rarely costs a
    /// timer operation; when it fires, it usually finds no expired call.
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
            guard now < limit else { return lose("no response to the statement or to its cancel request") }
            if overdueSince == nil {
                overdueSince = now
                if oldest.isCancellable { cancelOldest() }
            }
            armDeadlineTimer(for: limit)
        }
        if let next = pipeline.earliestDeadline { armDeadlineTimer(for: next) }
    }

    private func cancelOldest() {
        guard let request = handle.cancelRequest() else { return }
        strayCancel.requested()
        request.send { [weak self, loop] isProcessed in
            loop.execute { [weak self] in self?.cancelReturned(isProcessed) }
        }
    }

    private func cancelReturned(_ isProcessed: Bool) {
        guard !isProcessed else { return strayCancel.ended(lastWritten: pipeline.writtenCount) }
        loop.spawn { [weak self, loop] in
            try? await loop.sleep(for: Self.cancelGrace)
            self?.cancelReturned(true)
        }
    }

    // MARK: End of the connection

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
    /// Nil for a result that libpq itself creates when the connection is lost, and for results of COPY, which is not
    /// allowed in pipeline mode.
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
    /// The error for a call that finds the connection already closed.
    var beforeSending: PostgresError {
        if case .connectionLost(let reason, _) = self {
            .connectionLost(reason: reason, outcomeUnknown: false)
        } else {
            self
        }
    }
}
