public import EventLoop
import Telemetry
internal import Values

/// The connections of one event loop to PostgreSQL, opened on demand and replaced when they are lost or old.
///
/// Two kinds of use. Shared (`execute`): the statements of many tasks are pipelined on each connection, every one in a
/// transaction of its own. Exclusive (`withConnection`, `transaction`): one caller has the connection until it returns.
/// A caller waits for up to `waitTimeout`, then `.poolExhausted` is thrown with the reason of the last failed attempt.
///
/// `ConnectionPoolState` makes all decisions, as a pure function of events and instants, and documents the states of a
/// connection. This class performs the resulting actions: it connects, closes, resumes waiting callers and arms a
/// timer. All times are taken from the monotonic clock.
///
/// Failures: a lost connection fails its statements in flight; a statement that was certainly not committed, or is
/// idempotent, is repeated once on another connection. Failed connection attempts are repeated with exponential backoff
/// while callers wait. A transaction that PostgreSQL aborted because of others (deadlock, serialization failure) is
/// repeated, and `LockWait` describes what happens to one that waits for a lock. A connection to a server that has
/// become read-only is replaced, because the address may lead to the new primary. After a rotation of credentials,
/// `retireAll` replaces every connection when it becomes idle.
///
/// `@unchecked Sendable`, because it is confined to the thread of its loop, which its entry points check.
public final class ConnectionPool: @unchecked Sendable {
    public struct Options: Sendable {
        /// Maximum number of connections; 1 or more.
        public var size: Int
        /// Maximum time that a caller waits for a connection.
        public var waitTimeout = Duration.seconds(5)
        /// Maximum number of waiting callers. Further ones fail at once.
        public var waitersMax = 1_000
        /// Maximum number of statements in flight on one connection. Further ones wait.
        public var pipelineDepthMax = 256
        /// Maximum age of a connection. Each is replaced at a random age between nine tenths of this and this.
        public var connectionAgeMax = Duration.seconds(3_600)
        /// Maximum pause between two connection attempts; below 10 s.
        public var reconnectPauseMax = Duration.seconds(5)
        /// Maximum wait for a lock in one try (`lock_timeout` of each session); see `LockWait`.
        public var lockTimeout = Duration.milliseconds(50)
        /// Maximum time in which a statement that waits for a lock is tried again.
        public var lockWaitMax = Duration.seconds(5)

        public init(size: Int) {
            precondition(size >= 1, "a connection pool needs at least one connection")
            self.size = size
        }
    }

    /// Returns the credentials for a new connection; nil for those of the URL. Called for each connection, so that
    /// rotated credentials are used. A thrown error counts as a failed connection attempt.
    public typealias CredentialsProvider = @Sendable () async throws -> DatabaseCredentials?

    public let loop: Loop
    private let settings: DatabaseSettings
    private let profile: SessionProfile
    public let options: Options
    private let credentials: CredentialsProvider
    private let metrics: ConnectionPoolMetrics?

    private var state: ConnectionPoolState
    private var connections: [Int: DatabaseConnection] = [:]
    private var waiters: [Int: UnsafeContinuation<Result<Lease, PostgresError>, Never>] = [:]
    /// This pool's share of the gauges, as last reported.
    private var reportedUsage = ConnectionPoolMetrics.Usage()
    private var timer: LoopTimer?
    private var timerInstant = MonotonicInstant.distantFuture
    private var isClosed = false
    private var briefTryGate = BriefTryGate()
    /// The error of the last connection attempt; nil if it succeeded.
    public private(set) var lastFailure: PostgresError?

    /// A connection in use, with its id in the state.
    private struct Lease {
        let id: Int
        let connection: DatabaseConnection
    }

    public init(
        _ settings: DatabaseSettings, profile: SessionProfile = .general, options: Options, on loop: Loop,
        metrics: ConnectionPoolMetrics? = nil, credentials: @escaping CredentialsProvider = { nil }
    ) {
        self.settings = settings
        self.profile = profile.limitingLockWaits(to: options.lockTimeout)
        self.options = options
        self.loop = loop
        self.metrics = metrics
        self.credentials = credentials
        var limits = ConnectionPoolState.Limits(connectionsMax: options.size)
        limits.waitersMax = options.waitersMax
        limits.pipelineDepthMax = options.pipelineDepthMax
        limits.backoff = CappedBackoff(first: .milliseconds(50), cap: options.reconnectPauseMax)
        state = ConnectionPoolState(limits: limits)
    }

    // MARK: Shared use

    /// Executes a statement in a transaction of its own, on the connection with the fewest statements in flight.
    /// Returns after the commit.
    ///
    /// If the connection is lost, the statement is repeated once on another connection, provided that it cannot have
    /// been committed or is idempotent.
    /// - Parameters:
    ///   - timeout: time for the response after the statement was sent.
    ///   - lockWait: the wait for locks of other transactions.
    public func execute(
        _ statement: BoundStatement, timeout: Duration? = nil, lockWait: LockWait = .inTries
    ) async throws(PostgresError) -> Rows {
        try await shared(isIdempotent: statement.isIdempotent, lockWait, timeout) {
            (connection, opening) async throws(PostgresError) in
            try await connection.execute(statement, opening: opening, timeout: timeout)
        }
    }

    /// Executes a statement composed at run time.
    /// - Parameter isIdempotent: see `Statement.isIdempotent`.
    public func execute(
        sql: String, _ parameters: Parameters = Parameters(), isIdempotent: Bool = false, timeout: Duration? = nil
    ) async throws(PostgresError) -> Rows {
        try await shared(isIdempotent: isIdempotent, .inTries, timeout) {
            (connection, opening) async throws(PostgresError) in
            try await connection.execute(sql: sql, parameters, opening: opening, timeout: timeout)
        }
    }

    /// Executes statements in one transaction and one round trip. Returns the rows of each.
    public func executeGroup(
        _ statements: [BoundStatement], timeout: Duration? = nil, lockWait: LockWait = .inTries
    ) async throws(PostgresError) -> [Rows] {
        try await shared(isIdempotent: statements.allSatisfy(\.isIdempotent), lockWait, timeout) {
            (connection, opening) async throws(PostgresError) in
            try await connection.executeGroup(statements, opening: opening, timeout: timeout)
        }
    }

    /// Executes a transaction on a shared connection. The second argument is a statement that it must begin with.
    private typealias SharedUse<Value> = (DatabaseConnection, BoundStatement?) async throws(PostgresError) -> Value

    private func shared<Value>(
        isIdempotent: Bool, _ lockWait: LockWait, _ timeout: Duration?, _ body: SharedUse<Value>
    ) async throws(PostgresError) -> Value {
        let opening: BoundStatement? =
            switch lockWait {
            case .inTries, .once: nil
            case .briefly, .again: LockWait.setBriefTimeout()
            }
        let isWaiting = if case .again = lockWait { true } else { false }
        if isWaiting { try await enterGate() }
        let start = MonotonicInstant.now()
        do throws(PostgresError) {
            let value = try await repeatingConflicts { () async throws(PostgresError) in
                try await sharedTwice(isIdempotent: isIdempotent, opening, body)
            }
            if isWaiting { briefTryGate.leave() }
            return value
        } catch {
            let isLocked = error.sqlState == .lockNotAvailable
            if isLocked { metrics?.lockTimeouts.add() }
            if isWaiting { leaveGate(after: isLocked ? .now() - start : .zero) }
            guard error.sqlState == .lockNotAvailable, case .inTries = lockWait else { throw error }
            return try await tryAgain(error, within: timeout) { () async throws(PostgresError) in
                try await shared(isIdempotent: isIdempotent, .again, timeout, body)
            }
        }
    }

    private func sharedTwice<Value>(
        isIdempotent: Bool, _ opening: BoundStatement?, _ body: SharedUse<Value>
    ) async throws(PostgresError) -> Value {
        do throws(PostgresError) {
            return try await sharedOnce(opening, body)
        } catch {
            guard case .connectionLost(_, let outcomeUnknown) = error, !outcomeUnknown || isIdempotent else {
                throw error
            }
            return try await sharedOnce(opening, body)
        }
    }

    private func sharedOnce<Value>(
        _ opening: BoundStatement?, _ body: SharedUse<Value>
    ) async throws(PostgresError) -> Value {
        let lease = try await lease(.shared)
        defer { release(lease, .shared) }
        do throws(PostgresError) {
            return try await body(lease.connection, opening)
        } catch {
            // The server has become a standby, and its address may lead to another server by now. If the new connection
            // fails in the same way soon, the backoff for short-lived connections applies.
            if error.sqlState == .readOnlyTransaction { state.retire(lease.id) }
            throw error
        }
    }

    // MARK: Exclusive use

    /// Calls `body` with a connection for its exclusive use. If `body` leaves a transaction open, the connection is
    /// closed. Session settings that `body` changes must be restored by it.
    /// - Throws: what `body` throws, and `PostgresError` as an error of the same type.
    public func withConnection<Value, Failure: PostgresErrorConvertible>(
        _ body: (DatabaseConnection) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let lease: Lease
        do throws(PostgresError) {
            lease = try await exclusiveLease()
        } catch {
            throw Failure(error)
        }
        defer {
            if lease.connection.isInTransaction || lease.connection.inFlightCount > 0 { lease.connection.close() }
            release(lease, .exclusive)
        }
        return try await body(lease.connection)
    }

    /// A connection without a cancel request on its way: a transaction that it hit could not be sent again.
    private func exclusiveLease() async throws(PostgresError) -> Lease {
        while true {
            let lease = try await lease(.exclusive)
            guard lease.connection.isCancelPending else { return lease }
            lease.connection.close()
            release(lease, .exclusive)
        }
    }

    /// Calls `body` between `BEGIN` and `COMMIT` on an exclusive connection; see `DatabaseConnection.transaction`.
    ///
    /// If PostgreSQL aborts the transaction because of others, or a lock is not free in time (`LockWait`), nothing was
    /// committed, and `body` is called again: it must have no other effect than its statements.
    public func transaction<Value>(
        _ isolation: DatabaseConnection.Isolation = .readCommitted, lockWait: LockWait = .inTries,
        _ body: (Transaction) async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        do throws(PostgresError) {
            return try await transactionOnce(isolation, body)
        } catch {
            if error.sqlState == .lockNotAvailable { metrics?.lockTimeouts.add() }
            guard error.sqlState == .lockNotAvailable, case .inTries = lockWait else { throw error }
            return try await tryAgain(error, within: nil) { () async throws(PostgresError) in
                try await transactionOnce(isolation, body)
            }
        }
    }

    private func transactionOnce<Value>(
        _ isolation: DatabaseConnection.Isolation, _ body: (Transaction) async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        try await repeatingConflicts { () async throws(PostgresError) in
            try await withConnection { (connection) async throws(PostgresError) in
                try await connection.transaction(isolation, body)
            }
        }
    }

    // MARK: Conflicts with other transactions

    /// How often a transaction is executed that PostgreSQL aborts because of others.
    private static let conflictTriesMax = 4

    /// Nothing of an aborted transaction is committed, so it may be repeated whatever it does.
    private func repeatingConflicts<Value>(
        _ body: () async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        var tries = 1
        while true {
            do throws(PostgresError) {
                return try await body()
            } catch {
                guard error.sqlState?.isRetryableConflict == true, tries < Self.conflictTriesMax else { throw error }
                metrics?.conflicts.add()
                // At different times, or the same transactions meet again.
                await pause(.milliseconds(10 * tries) * Double.random(in: 0.1...1))
                tries += 1
            }
        }
    }

    /// Calls `body` after pauses until it gets its locks.
    private func tryAgain<Value>(
        _ first: PostgresError, within timeout: Duration?, _ body: () async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        let end = MonotonicInstant.now() + min(options.lockWaitMax, timeout ?? options.lockWaitMax)
        var last = first
        var length = LockWait.pauseMin
        while MonotonicInstant.now() < end {
            await pause(length * Double.random(in: 0.5...1))
            length = min(length * 2, LockWait.pauseMax)
            do throws(PostgresError) {
                return try await body()
            } catch {
                guard error.sqlState == .lockNotAvailable else { throw error }
                last = error
            }
        }
        throw last
    }

    /// Not ended by a cancellation of the task, just as a cancellation does not withdraw a statement that was sent: a
    /// process that stops finishes its statements.
    private func pause(_ duration: Duration) async {
        await loop.spawn { [loop] in try? await loop.sleep(for: duration) }.value
    }

    /// - Throws: `.poolExhausted` after a wait that was too long: PostgreSQL does not answer the tries before this one.
    private func enterGate() async throws(PostgresError) {
        if briefTryGate.enter() { return }
        let start = MonotonicInstant.now()
        await withUnsafeContinuation { briefTryGate.wait($0) }
        let waited = MonotonicInstant.now() - start
        guard waited > max(options.waitTimeout, options.lockWaitMax) else { return }
        briefTryGate.leave()
        throw .poolExhausted(waited: waited, lastFailure: lastFailure.map { "\($0)" })
    }

    private func leaveGate(after duration: Duration) {
        guard duration > .zero else { return briefTryGate.leave() }
        loop.spawn { [self] in
            try? await loop.sleep(for: duration)
            briefTryGate.leave()
        }
    }

    // MARK: Lifecycle

    /// Opens the first connection before the first caller.
    public func start() {
        loop.preconditionCurrent()
        state.start()
        performActions()
    }

    /// Replaces every connection as soon as it is idle. For use after a rotation of credentials.
    public func retireAll() {
        loop.preconditionCurrent()
        state.retireAll()
        performActions()
    }

    /// Closes every connection at once. Waiting and later callers fail with `.closed`. Idempotent.
    public func close() {
        loop.preconditionCurrent()
        guard !isClosed else { return }
        isClosed = true
        timer?.cancel()
        for connection in connections.values { connection.close() }
        for continuation in waiters.values { continuation.resume(returning: .failure(.closed)) }
        waiters = [:]
        metrics?.update(&reportedUsage, to: ConnectionPoolMetrics.Usage())
    }

    /// Number of idle connections, of connections in use, and of waiting callers.
    public var usage: (idle: Int, busy: Int, waiting: Int) {
        let counts = state.connectionCounts
        return (counts.idle, counts.busy, state.waitingCount)
    }

    // MARK: Leases

    private func lease(_ use: ConnectionPoolState.Use) async throws(PostgresError) -> Lease {
        loop.preconditionCurrent()
        guard !isClosed else { throw .closed }
        if let id = state.take(use, at: loop.now), let connection = connections[id] {
            if state.hasPendingActions { performActions() } else { reportUsage() }
            return Lease(id: id, connection: connection)
        }
        guard let waiter = state.wait(use, until: .now() + options.waitTimeout) else {
            metrics?.waitTimeouts.add()
            throw .poolExhausted(waited: .zero, lastFailure: lastFailure.map { "\($0)" })
        }
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in enqueue(waiter, continuation) }
        } onCancel: {
            loop.execute { self.fail(waiter, .cancelled) }
        }
        return try result.get()
    }

    private func enqueue(_ waiter: Int, _ continuation: UnsafeContinuation<Result<Lease, PostgresError>, Never>) {
        waiters[waiter] = continuation
        if Task.isCancelled { fail(waiter, .cancelled) } else { performActions() }
    }

    private func release(_ lease: Lease, _ use: ConnectionPoolState.Use) {
        guard !isClosed else { return }
        state.release(lease.id, use, at: loop.now)
        if state.hasPendingActions { performActions() } else { reportUsage() }
    }

    private func fail(_ waiter: Int, _ error: PostgresError) {
        guard !isClosed, let continuation = waiters.removeValue(forKey: waiter) else { return }
        _ = state.stopWaiting(waiter)
        continuation.resume(returning: .failure(error))
        performActions()
    }

    // MARK: Actions of the state

    private func performActions() {
        guard !isClosed else { return }
        let now = MonotonicInstant.now()
        for waiter in state.expiredWaiters(at: now) {
            metrics?.waitTimeouts.add()
            let failure = lastFailure.map { "\($0)" }
            let error = PostgresError.poolExhausted(waited: options.waitTimeout, lastFailure: failure)
            waiters.removeValue(forKey: waiter)?.resume(returning: .failure(error))
        }
        var wakeAt = state.earliestDeadline ?? .distantFuture
        loop: while let action = state.nextAction(at: now) {
            switch action {
            case .connect(let id): connect(id)
            case .close(let id): connections.removeValue(forKey: id)?.close()
            case .serve(let waiter, let id): serve(waiter, with: id)
            case .wake(let instant):
                wakeAt = min(wakeAt, instant)
                break loop
            }
        }
        wake(at: wakeAt)
        reportUsage()
    }

    private func serve(_ waiter: Int, with id: Int) {
        guard let continuation = waiters.removeValue(forKey: waiter), let connection = connections[id] else {
            preconditionFailure("the pool's state and its connections disagree")
        }
        continuation.resume(returning: .success(Lease(id: id, connection: connection)))
    }

    private func wake(at instant: MonotonicInstant) {
        guard instant < timerInstant else { return }
        let timer = timer ?? loop.timer { [weak self] in self?.timerFired() }
        self.timer = timer
        timerInstant = instant
        timer.arm(at: instant)
    }

    private func timerFired() {
        timerInstant = .distantFuture
        performActions()
    }

    private func connect(_ id: Int) {
        loop.spawn { [self] in
            do {
                let credentials = try await credentials()
                let connection = try await DatabaseConnection.connect(
                    settings, profile: profile, credentials: credentials, on: loop)
                opened(id, connection)
            } catch {
                failed(id, error as? PostgresError ?? .connectionFailed(reason: "no credentials: \(error)"))
            }
        }
    }

    private func opened(_ id: Int, _ connection: DatabaseConnection) {
        guard !isClosed else { return connection.close() }
        metrics?.connects.add()
        lastFailure = nil
        connections[id] = connection
        connection.onClose = { [weak self] reason in self?.lost(id, reason) }
        let age = options.connectionAgeMax * Double.random(in: 0.9...1)
        let now = MonotonicInstant.now()
        state.connected(id, at: now, retireAt: now + age)
        performActions()
    }

    private func failed(_ id: Int, _ error: PostgresError) {
        guard !isClosed else { return }
        metrics?.connectFailures.add()
        lastFailure = error
        state.connectFailed(id, at: .now(), random: Double.random(in: 0...1))
        performActions()
    }

    private func lost(_ id: Int, _ reason: PostgresError) {
        // A connection closed by the state was removed from `connections` before.
        guard !isClosed, connections.removeValue(forKey: id) != nil else { return }
        if case .connectionLost = reason { metrics?.losses.add() }
        state.lost(id, at: .now(), random: Double.random(in: 0...1))
        performActions()
    }

    private func reportUsage() {
        guard let metrics else { return }
        let usage = usage
        metrics.update(
            &reportedUsage,
            to: ConnectionPoolMetrics.Usage(idle: usage.idle, busy: usage.busy, waiting: usage.waiting))
    }
}
