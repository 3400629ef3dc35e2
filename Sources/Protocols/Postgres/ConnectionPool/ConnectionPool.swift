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
/// while callers wait. A connection to a server that has become read-only is replaced, because the address may lead to
/// the new primary. After a rotation of credentials, `retireAll` replaces every connection when it becomes idle.
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
    private let options: Options
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
        self.profile = profile
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
    /// - Parameter timeout: time for the response after the statement was sent.
    public func execute(_ statement: BoundStatement, timeout: Duration? = nil) async throws(PostgresError) -> Rows {
        try await shared(isIdempotent: statement.isIdempotent) { (connection) async throws(PostgresError) in
            try await connection.execute(statement, timeout: timeout)
        }
    }

    /// Executes a statement composed at run time.
    /// - Parameter isIdempotent: see `Statement.isIdempotent`.
    public func execute(
        sql: String, _ parameters: Parameters = Parameters(), isIdempotent: Bool = false, timeout: Duration? = nil
    ) async throws(PostgresError) -> Rows {
        try await shared(isIdempotent: isIdempotent) { (connection) async throws(PostgresError) in
            try await connection.execute(sql: sql, parameters, timeout: timeout)
        }
    }

    /// Executes statements in one transaction and one round trip. Returns the rows of each.
    public func executeGroup(
        _ statements: [BoundStatement], timeout: Duration? = nil
    ) async throws(PostgresError) -> [Rows] {
        try await shared(isIdempotent: statements.allSatisfy(\.isIdempotent)) {
            (connection) async throws(PostgresError) in
            try await connection.executeGroup(statements, timeout: timeout)
        }
    }

    private func shared<Value>(
        isIdempotent: Bool, _ body: (DatabaseConnection) async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        do throws(PostgresError) {
            return try await sharedOnce(body)
        } catch {
            guard case .connectionLost(_, let outcomeUnknown) = error, !outcomeUnknown || isIdempotent else {
                throw error
            }
            return try await sharedOnce(body)
        }
    }

    private func sharedOnce<Value>(
        _ body: (DatabaseConnection) async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        let lease = try await lease(.shared)
        defer { release(lease, .shared) }
        do throws(PostgresError) {
            return try await body(lease.connection)
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
            lease = try await self.lease(.exclusive)
        } catch {
            throw Failure(error)
        }
        defer {
            if lease.connection.isInTransaction || lease.connection.inFlightCount > 0 { lease.connection.close() }
            release(lease, .exclusive)
        }
        return try await body(lease.connection)
    }

    /// Calls `body` between `BEGIN` and `COMMIT` on an exclusive connection; see `DatabaseConnection.transaction`.
    public func transaction<Value, Failure: PostgresErrorConvertible>(
        _ isolation: DatabaseConnection.Isolation = .readCommitted,
        _ body: (Transaction) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try await withConnection { (connection) async throws(Failure) in
            try await connection.transaction(isolation, body)
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
