public import Postgres
internal import Synchronization
internal import Values

/// A subqueue: one FIFO, the jobs of one queue, type and priority, with or without a concurrency key. Subqueues are made once and never change or go, so what is
/// known of them is known for ever.
public struct Subqueue: Hashable, Sendable {
    public let id: Int32
    public let queueID: Int32
    public let typeID: Int32
    public let queue: String
    public let type: String
    public let priority: Int16
    /// Whether its jobs have concurrency keys.
    public let isKeyed: Bool
}

/// The subqueues that this process has met, by name and by id. One for all loops. Whoever asks PostgreSQL for a subqueue learns
/// from the answer what time it has there, before the first id is made for a job of that subqueue.
public final class SubqueueDirectory: Sendable {
    /// Beyond it everything is forgotten and looked up again: a client that makes up names costs queries, not memory.
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
    }

    private let state = Mutex(State())
    let clock = ServerClock()

    public init() {}

    /// The id of a job's subqueue; nil if it has not been met.
    func id(for job: NewJob) -> Int32? {
        id(for: Name(of: job))
    }

    private func id(for name: Name) -> Int32? {
        state.withLock { $0.byName[name] }
    }

    /// nil if it has not been met.
    public func subqueue(_ id: Int32) -> Subqueue? {
        state.withLock { $0.byID[id] }
    }

    private func remember(_ subqueues: [Subqueue]) {
        state.withLock { state in
            if state.byID.count + subqueues.count > Self.countMax { state = State() }
            for subqueue in subqueues {
                state.byID[subqueue.id] = subqueue
                state.byName[Name(of: subqueue)] = subqueue.id
            }
        }
    }

    // MARK: Statements

    /// Names to subqueues, in the order given; those that are missing are made. In a transaction of its own, so that what
    /// is remembered is committed.
    private static let register = Statement(
        "register_subqueues",
        """
        SELECT queue_id, type_id, subqueue_id, clock_timestamp() FROM register_subqueues($1, $2, $3, $4)
        """, [.textArray, .textArray, .int2Array, .boolArray], isIdempotent: true)

    private static let lookUp = Statement(
        "look_up_subqueues",
        """
        SELECT b.id, b.queue_id, b.type_id, q.name, t.name, b.priority, b.keyed, clock_timestamp()
        FROM subqueue b JOIN queue q ON q.id = b.queue_id JOIN type t ON t.id = b.type_id
        WHERE $1::int[] IS NULL OR b.id = ANY ($1)
        """, [.int4Array], isIdempotent: true)

    /// The id of the subqueue of each job, made if it does not exist.
    func ids(for jobs: [NewJob], on pool: ConnectionPool) async throws(PostgresError) -> [Int32] {
        var missing: Set<Name> = []
        var ids: [Int32] = []
        ids.reserveCapacity(jobs.count)
        for job in jobs {
            if let id = id(for: job) { ids.append(id) } else { missing.insert(Name(of: job)) }
        }
        guard !missing.isEmpty else { return ids }
        let made = try await make(Array(missing), on: pool)
        // What was known before may have been forgotten meanwhile.
        let names = jobs.map(Name.init(of:))
        let complete = names.compactMap { made[$0] ?? id(for: $0) }
        if complete.count == jobs.count { return complete }
        let all = try await make(Array(Set(names)), on: pool)
        return names.compactMap { all[$0] }
    }

    private func make(_ names: [Name], on pool: ConnectionPool) async throws(PostgresError) -> [Name: Int32] {
        var parameters = Parameters()
        parameters.append(names.map(\.queue))
        parameters.append(names.map(\.type))
        parameters.append(names.map(\.priority))
        parameters.append(names.map(\.isKeyed))
        let sent = WallInstant.now()
        let rows = try await pool.execute(Self.register, parameters)
        var subqueues: [Subqueue] = []
        for (name, row) in zip(names, rows) {
            subqueues.append(
                Subqueue(
                    id: try row.int4(2), queueID: try row.int4(0), typeID: try row.int4(1), queue: name.queue,
                    type: name.type, priority: name.priority, isKeyed: name.isKeyed))
            clock.learn(serverTime: try row.timestamptz(3), sentAt: sent)
        }
        remember(subqueues)
        return Dictionary(uniqueKeysWithValues: zip(names, subqueues.map(\.id)))
    }

    /// Makes sure that the subqueues with these ids are known.
    public func load(_ ids: some Sequence<Int32>, on pool: ConnectionPool) async throws(PostgresError) {
        let missing = Set(ids).filter { subqueue($0) == nil }
        guard !missing.isEmpty else { return }
        var parameters = Parameters()
        parameters.append(Array(missing))
        _ = try await find(parameters, on: pool)
    }

    /// All subqueues there are.
    public func all(on pool: ConnectionPool) async throws(PostgresError) -> [Subqueue] {
        var parameters = Parameters()
        parameters.appendNull(.int4Array)
        return try await find(parameters, on: pool)
    }

    private func find(_ parameters: Parameters, on pool: ConnectionPool) async throws(PostgresError) -> [Subqueue] {
        let sent = WallInstant.now()
        let rows = try await pool.execute(Self.lookUp, parameters)
        var subqueues: [Subqueue] = []
        subqueues.reserveCapacity(rows.count)
        for row in rows {
            subqueues.append(
                Subqueue(
                    id: try row.int4(0), queueID: try row.int4(1), typeID: try row.int4(2), queue: try row.text(3),
                    type: try row.text(4), priority: try row.int2(5), isKeyed: try row.bool(6)))
            clock.learn(serverTime: try row.timestamptz(7), sentAt: sent)
        }
        remember(subqueues)
        return subqueues
    }
}

extension JobStore {
    private static let queueStatement = Statement(
        "find_queues", "SELECT id FROM queue WHERE name = ANY ($1)", [.textArray], isIdempotent: true)

    /// The ids of those of the named queues that exist.
    public func queueIDs(_ names: [String]) async throws(PostgresError) -> [Int32] {
        var parameters = Parameters()
        parameters.append(names)
        var ids: [Int32] = []
        for row in try await hot.execute(Self.queueStatement, parameters) { ids.append(try row.int4(0)) }
        return ids
    }
}
