public import EventLoop
import Telemetry
internal import Values

/// A few connections of one loop, opened when they are needed, replaced when they break.
///
/// `execute` shares them: statements of many tasks are pipelined on each. `withConnection` and `transaction` lend one
/// out. Both wait for a bounded time, and then throw `.poolExhausted`. What to do when is decided by `ConnectionPoolState`; this
/// class does it.
///
/// Why `@unchecked Sendable`: confined to its loop's thread, which every submitter checks.
public final class ConnectionPool: @unchecked Sendable {
    /// How a pool behaves.
    public struct Options: Sendable {
        /// Connections at most; 1 or more.
        public var size: Int
        /// How long a caller waits for a connection.
        public var waitTimeout = Duration.seconds(5)
        /// Callers that may wait at the same time; further ones are refused at once.
        public var waitersMax = 1_000
        /// Statements in flight on one connection; further ones wait.
        public var pipelineDepthMax = 256
        /// A connection is replaced at an age between nine tenths of this and the whole.
        public var connectionAgeMax = Duration.seconds(3_600)
        /// The longest pause between two attempts to connect; below 10 s.
        public var reconnectPauseMax = Duration.seconds(5)

        public init(size: Int) {
            precondition(size >= 1, "a pool of no connections")
            self.size = size
        }
    }

    /// Gives the credentials for one new connection; nil for those of the URL. Asked each time, so that rotated ones
    /// are used. What it throws counts as a failed attempt to connect.
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
    private var shown = ConnectionPoolMetrics.Shown()
    private var timer: LoopTimer?
    private var timerInstant = MonotonicInstant.distantFuture
    private var isClosed = false
    /// Why the latest attempt to connect failed; nil after one that did not.
    public private(set) var lastFailure: PostgresError?

    /// A connection, and under which number the pool knows it.
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

    /// Runs a statement in a transaction of its own, on the connection with the fewest in flight, and returns when it
    /// is committed.
    ///
    /// When the connection is lost, it is run again, once, on another one, if nothing of it can have been committed or
    /// if it is idempotent.
    /// - Parameter timeout: for the answer, once it is sent.
    public func execute(
        _ statement: Statement, _ parameters: Parameters = Parameters(), timeout: Duration? = nil
    ) async throws(PostgresError) -> Rows {
        try await shared(isIdempotent: statement.isIdempotent) { (connection) async throws(PostgresError) in
            try await connection.execute(statement, parameters, timeout: timeout)
        }
    }

    /// The same for a statement that is composed at run time.
    /// - Parameter isIdempotent: see `Statement.isIdempotent`.
    public func execute(
        sql: String, _ parameters: Parameters = Parameters(), isIdempotent: Bool = false, timeout: Duration? = nil
    ) async throws(PostgresError) -> Rows {
        try await shared(isIdempotent: isIdempotent) { (connection) async throws(PostgresError) in
            try await connection.execute(sql: sql, parameters, timeout: timeout)
        }
    }

    /// Runs statements in one transaction and one round trip.
    public func executeGroup(
        _ members: [(Statement, Parameters)], timeout: Duration? = nil
    ) async throws(PostgresError) -> [Rows] {
        try await shared(isIdempotent: members.allSatisfy(\.0.isIdempotent)) {
            (connection) async throws(PostgresError) in
            try await connection.executeGroup(members, timeout: timeout)
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
            // The server was made a standby, and its address may lead to another by now. One that is refused so again soon
            // is replaced with the pauses of any that live shortly.
            if error.sqlState == .readOnlyTransaction { state.retire(lease.id) }
            throw error
        }
    }

    // MARK: Exclusive use

    /// Lends a connection to `body` alone. What `body` leaves open (a transaction) closes the connection; settings that
    /// it changes must be changed back.
    public func withConnection<Value>(_ body: (DatabaseConnection) async throws -> Value) async throws -> Value {
        let lease = try await lease(.exclusive)
        defer {
            if lease.connection.isInTransaction || lease.connection.inFlightCount > 0 { lease.connection.close() }
            release(lease, .exclusive)
        }
        return try await body(lease.connection)
    }

    /// Runs `body` between `BEGIN` and `COMMIT` on a connection of its own; see `DatabaseConnection.transaction`.
    public func transaction<Value>(
        _ isolation: DatabaseConnection.Isolation = .readCommitted, _ body: (Transaction) async throws -> Value
    ) async throws -> Value {
        try await withConnection { connection in
            try await connection.transaction(isolation, body)
        }
    }

    // MARK: The whole pool

    /// Opens the first connection without waiting for a caller.
    public func start() {
        loop.preconditionCurrent()
        state.start()
        act()
    }

    /// Replaces every connection, each as soon as nobody uses it: what to do after credentials were rotated.
    public func retireAll() {
        loop.preconditionCurrent()
        state.retireAll()
        act()
    }

    /// Closes every connection at once, and refuses and wakes all callers. Idempotent.
    public func close() {
        loop.preconditionCurrent()
        guard !isClosed else { return }
        isClosed = true
        timer?.cancel()
        for connection in connections.values { connection.close() }
        for continuation in waiters.values { continuation.resume(returning: .failure(.closed)) }
        waiters = [:]
        metrics?.show(ConnectionPoolMetrics.Shown(), insteadOf: &shown)
    }

    /// Connections that are open and idle, those in use, and the callers that wait.
    public var usage: (idle: Int, busy: Int, waiting: Int) {
        let counts = state.connectionCounts
        return (counts.idle, counts.busy, state.waitingCount)
    }

    // MARK: Leases

    private func lease(_ use: ConnectionPoolState.Use) async throws(PostgresError) -> Lease {
        loop.preconditionCurrent()
        guard !isClosed else { throw .closed }
        if let id = state.take(use, at: loop.now), let connection = connections[id] {
            if state.hasSomethingToDo { act() } else { show() }
            return Lease(id: id, connection: connection)
        }
        guard let waiter = state.wait(use, until: .now() + options.waitTimeout) else {
            metrics?.waitTimeouts.add()
            throw .poolExhausted(waited: .zero, lastFailure: lastFailure.map { "\($0)" })
        }
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in serveLater(waiter, continuation) }
        } onCancel: {
            loop.execute { self.fail(waiter, .cancelled) }
        }
        return try result.get()
    }

    private func serveLater(_ waiter: Int, _ continuation: UnsafeContinuation<Result<Lease, PostgresError>, Never>) {
        waiters[waiter] = continuation
        if Task.isCancelled { fail(waiter, .cancelled) } else { act() }
    }

    private func release(_ lease: Lease, _ use: ConnectionPoolState.Use) {
        guard !isClosed else { return }
        state.release(lease.id, use, at: loop.now)
        if state.hasSomethingToDo { act() } else { show() }
    }

    private func fail(_ waiter: Int, _ error: PostgresError) {
        guard !isClosed, let continuation = waiters.removeValue(forKey: waiter) else { return }
        _ = state.stopWaiting(waiter)
        continuation.resume(returning: .failure(error))
        act()
    }

    // MARK: What the state asks for

    private func act() {
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
        show()
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
        act()
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
        act()
    }

    private func failed(_ id: Int, _ error: PostgresError) {
        guard !isClosed else { return }
        metrics?.connectFailures.add()
        lastFailure = error
        state.connectFailed(id, at: .now(), random: Double.random(in: 0...1))
        act()
    }

    private func lost(_ id: Int, _ reason: PostgresError) {
        // One that the state has given up was taken out before it was closed.
        guard !isClosed, connections.removeValue(forKey: id) != nil else { return }
        if case .connectionLost = reason { metrics?.losses.add() }
        state.lost(id, at: .now(), random: Double.random(in: 0...1))
        act()
    }

    private func show() {
        guard let metrics else { return }
        let usage = usage
        metrics.show(
            ConnectionPoolMetrics.Shown(idle: usage.idle, busy: usage.busy, waiting: usage.waiting), insteadOf: &shown)
    }
}
