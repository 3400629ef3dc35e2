public import Postgres
internal import Synchronization
internal import Values

/// A cache of subqueues, by name and by id; one for all loops of a process. Each answer of PostgreSQL also sets the
/// `ServerClock`, so that it is set before the first id is made for a job of a subqueue.
public final class SubqueueDirectory: Sendable {
    /// Above it the cache is emptied, and filled again: a client that invents names costs queries, not memory.
    private static let countMax = 100_000

    private struct Name: Hashable {
        let queue: String
        let type: String
        let priority: Int16
        let isKeyed: Bool

        init(of job: NewJob) {
            queue = job.queue
            type = job.type
            priority = job.priority
            isKeyed = job.concurrencyKey != nil
        }

        init(of subqueue: Subqueue) {
            queue = subqueue.queue
            type = subqueue.type
            priority = subqueue.priority
            isKeyed = subqueue.isKeyed
        }
    }

    private struct State {
        var byName: [Name: Int32] = [:]
        var byID: [Int32: Subqueue] = [:]
        var queueIDs: [String: Int32] = [:]
        /// The names that statements under way register, and who waits for these.
        var registering: [Name: [CheckedContinuation<PostgresError?, Never>]] = [:]
    }

    private let state = Mutex(State())
    let clock = ServerClock()

    public init() {}

    /// The id of a job's subqueue; nil if it is not in the cache.
    func id(for job: NewJob) -> Int32? {
        id(for: Name(of: job))
    }

    private func id(for name: Name) -> Int32? {
        state.withLock { $0.byName[name] }
    }

    /// nil if it is not in the cache.
    public func subqueue(_ id: Int32) -> Subqueue? {
        state.withLock { $0.byID[id] }
    }

    /// The ids of queues; nil if one of them is not in the cache.
    public func cachedQueueIDs(_ names: some Sequence<String>) -> [Int32]? {
        state.withLock { state in
            var ids: [Int32] = []
            for name in names {
                guard let id = state.queueIDs[name] else { return nil }
                ids.append(id)
            }
            return ids
        }
    }

    /// The jobs of these subqueues are to be registered again.
    func forget(_ ids: some Sequence<Int32>) {
        state.withLock { state in
            for id in ids {
                guard let subqueue = state.byID[id] else { continue }
                let name = Name(of: subqueue)
                if state.byName[name] == id { state.byName[name] = nil }
            }
        }
    }

    /// The id of the queue may be another one by now.
    public func forgetQueue(_ name: String) {
        state.withLock { $0.queueIDs[name] = nil }
    }

    private func remember(_ subqueues: [Subqueue]) {
        state.withLock { state in
            if state.byID.count + subqueues.count > Self.countMax {
                (state.byName, state.byID, state.queueIDs) = ([:], [:], [:])
            }
            for subqueue in subqueues {
                state.byID[subqueue.id] = subqueue
                state.byName[Name(of: subqueue)] = subqueue.id
                state.queueIDs[subqueue.queue] = subqueue.queueID
            }
        }
    }

    // MARK: Statements

    /// The subqueues of names, in the order given; missing ones are created. In a transaction of its own, so that the
    /// cache holds nothing that is not committed.
    private static let register = Statement<[String], [String], [Int16], [Bool]>(
        "register_subqueues",
        """
        SELECT queue_id, type_id, subqueue_id, in_metrics, clock_timestamp() FROM register_subqueues($1, $2, $3, $4)
        """, isIdempotent: true)

    private static let lookUp = Statement<[Int32]>(
        "look_up_subqueues",
        """
        SELECT b.id, b.queue_id, b.type_id, q.name, t.name, b.priority, b.keyed, q.in_metrics,
               clock_timestamp()
        FROM subqueue b JOIN queue q ON q.id = b.queue_id JOIN type t ON t.id = b.type_id
        WHERE b.id = ANY ($1)
        """, isIdempotent: true)

    /// The id of the subqueue of each job, created if it does not exist.
    func ids(for jobs: [NewJob], on pool: ConnectionPool) async throws(PostgresError) -> [Int32] {
        var missing: Set<Name> = []
        var ids: [Int32] = []
        ids.reserveCapacity(jobs.count)
        for job in jobs {
            if let id = id(for: job) { ids.append(id) } else { missing.insert(Name(of: job)) }
        }
        guard !missing.isEmpty else { return ids }
        let made = try await makeOnce(missing, on: pool)
        // The cache may have been emptied meanwhile.
        let names = jobs.map(Name.init(of:))
        let complete = names.compactMap { made[$0] ?? id(for: $0) }
        if complete.count == jobs.count { return complete }
        let all = try await make(Array(Set(names)), on: pool)
        return names.compactMap { all[$0] }
    }

    /// Registers names. The requests that are the first to use a subqueue share one statement: in PostgreSQL they would
    /// wait for each other's locks. Requests of several names share nothing, because a lock that concerns one name must
    /// not delay those that wait for another.
    private func makeOnce(_ names: Set<Name>, on pool: ConnectionPool) async throws(PostgresError) -> [Name: Int32] {
        guard names.count == 1, let name = names.first else { return try await make(Array(names), on: pool) }
        let start = MonotonicInstant.now()
        while true {
            if begin(name) { return try await register(name, on: pool) }
            let error = await waitForRegistration(of: name)
            if let id = id(for: name) { return [name: id] }
            // A caller that has come late has waited for less time than the statement.
            let mayRepeat = error?.sqlState == .lockNotAvailable && .now() - start < pool.options.lockWaitMax / 2
            if let error, !mayRepeat { throw error }
        }
    }

    /// Whether the caller is the one that registers the name.
    private func begin(_ name: Name) -> Bool {
        state.withLock { state in
            guard state.registering[name] == nil else { return false }
            state.registering[name] = []
            return true
        }
    }

    private func register(_ name: Name, on pool: ConnectionPool) async throws(PostgresError) -> [Name: Int32] {
        let result: Result<[Name: Int32], PostgresError>
        do throws(PostgresError) {
            result = .success(try await make([name], on: pool))
        } catch {
            result = .failure(error)
        }
        let waiting = state.withLock { $0.registering.removeValue(forKey: name) } ?? []
        let failure: PostgresError? = if case .failure(let error) = result { error } else { nil }
        for continuation in waiting { continuation.resume(returning: failure) }
        return try result.get()
    }

    /// - Returns: the error with which the registration has failed.
    private func waitForRegistration(of name: Name) async -> PostgresError? {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard state.registering[name] != nil else { return true }
                state.registering[name]?.append(continuation)
                return false
            }
            if isOver { continuation.resume(returning: nil) }
        }
    }

    private func make(_ names: [Name], on pool: ConnectionPool) async throws(PostgresError) -> [Name: Int32] {
        let statement = Self.register(
            names.map(\.queue), names.map(\.type), names.map(\.priority), names.map(\.isKeyed))
        let sent = WallInstant.now()
        let rows = try await pool.execute(statement).decode((Int32, Int32, Int32, Bool, WallInstant).self)
        var subqueues: [Subqueue] = []
        for (name, (queueID, typeID, id, isInMetrics, now)) in zip(names, rows) {
            subqueues.append(
                Subqueue(
                    id: id, queueID: queueID, typeID: typeID, queue: name.queue, type: name.type,
                    priority: name.priority, isKeyed: name.isKeyed, isInMetrics: isInMetrics))
            clock.learn(serverTime: now, sentAt: sent)
        }
        remember(subqueues)
        return Dictionary(uniqueKeysWithValues: zip(names, subqueues.map(\.id)))
    }

    /// Brings the subqueues with these ids into the cache.
    public func load(_ ids: some Sequence<Int32>, on pool: ConnectionPool) async throws(PostgresError) {
        let missing = Set(ids).filter { subqueue($0) == nil }
        guard !missing.isEmpty else { return }
        let sent = WallInstant.now()
        let rows = try await pool.execute(Self.lookUp(Array(missing))).decode((Subqueue, WallInstant).self)
        for (_, now) in rows { clock.learn(serverTime: now, sentAt: sent) }
        remember(rows.map { $0.0 })
    }
}

extension Subqueue: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        id = try columns.next()
        queueID = try columns.next()
        typeID = try columns.next()
        queue = try columns.next()
        type = try columns.next()
        priority = try columns.next()
        isKeyed = try columns.next()
        isInMetrics = try columns.next()
    }
}

extension JobStore {
    private static let queueStatement = Statement<[String]>(
        "find_queues", "SELECT id FROM queue WHERE name = ANY ($1)", isIdempotent: true)

    private static let typeStatement = Statement("list_types", "SELECT id, name FROM type", isIdempotent: true)

    /// All types of jobs that were ever created.
    public func types() async throws(PostgresError) -> [(id: Int32, name: String)] {
        try await general.execute(Self.typeStatement()).decode((Int32, String).self).map { (id: $0.0, name: $0.1) }
    }

    /// The ids of the named queues that exist.
    public func queueIDs(_ names: [String]) async throws(PostgresError) -> [Int32] {
        try await hot.execute(Self.queueStatement(names)).decode()
    }
}
