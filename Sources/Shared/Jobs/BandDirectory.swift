public import Postgres
internal import Synchronization
internal import Telemetry

/// A band: one FIFO, the jobs of one queue, type and priority, with or without a concurrency key. Bands are made once and never change or go, so what is
/// known of them is known for ever.
public struct Band: Hashable, Sendable {
    public let id: Int32
    public let queueID: Int32
    public let typeID: Int32
    public let queue: String
    public let type: String
    public let priority: Int16
    /// Whether its jobs have concurrency keys.
    public let isKeyed: Bool
}

/// The bands that this process has met, by name and by id. One for all loops. Whoever asks PostgreSQL for a band learns
/// from the answer what time it has there, before the first id is made for a job of that band.
public final class BandDirectory: Sendable {
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

        init(of band: Band) {
            queue = band.queue
            type = band.type
            priority = band.priority
            isKeyed = band.isKeyed
        }
    }

    private struct State {
        var byName: [Name: Int32] = [:]
        var byID: [Int32: Band] = [:]
    }

    private let state = Mutex(State())
    let clock = ServerClock()

    public init() {}

    /// The id of a job's band; nil if it has not been met.
    func id(for job: NewJob) -> Int32? {
        id(for: Name(of: job))
    }

    private func id(for name: Name) -> Int32? {
        state.withLock { $0.byName[name] }
    }

    /// nil if it has not been met.
    public func band(_ id: Int32) -> Band? {
        state.withLock { $0.byID[id] }
    }

    private func remember(_ bands: [Band]) {
        state.withLock { state in
            if state.byID.count + bands.count > Self.countMax { state = State() }
            for band in bands {
                state.byID[band.id] = band
                state.byName[Name(of: band)] = band.id
            }
        }
    }

    // MARK: Statements

    /// Names to bands, in the order given; those that are missing are made. In a transaction of its own, so that what
    /// is remembered is committed.
    private static let register = Statement(
        "register_bands",
        """
        SELECT queue_id, type_id, band_id, clock_timestamp() FROM register_bands($1, $2, $3, $4)
        """, [.textArray, .textArray, .int2Array, .boolArray], isIdempotent: true)

    private static let lookUp = Statement(
        "look_up_bands",
        """
        SELECT b.id, b.queue_id, b.type_id, q.name, t.name, b.priority, b.keyed, clock_timestamp()
        FROM band b JOIN queue q ON q.id = b.queue_id JOIN type t ON t.id = b.type_id
        WHERE $1::int[] IS NULL OR b.id = ANY ($1)
        """, [.int4Array], isIdempotent: true)

    /// The id of the band of each job, made if it does not exist.
    func ids(for jobs: [NewJob], on pool: DatabasePool) async throws(PostgresError) -> [Int32] {
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

    private func make(_ names: [Name], on pool: DatabasePool) async throws(PostgresError) -> [Name: Int32] {
        var parameters = Parameters()
        parameters.append(names.map(\.queue))
        parameters.append(names.map(\.type))
        parameters.append(names.map(\.priority))
        parameters.append(names.map(\.isKeyed))
        let sent = WallInstant.now()
        let rows = try await pool.execute(Self.register, parameters)
        var bands: [Band] = []
        for (name, row) in zip(names, rows) {
            bands.append(
                Band(
                    id: try row.int4(2), queueID: try row.int4(0), typeID: try row.int4(1), queue: name.queue,
                    type: name.type, priority: name.priority, isKeyed: name.isKeyed))
            clock.learn(serverTime: try row.timestamptz(3), sentAt: sent)
        }
        remember(bands)
        return Dictionary(uniqueKeysWithValues: zip(names, bands.map(\.id)))
    }

    /// Makes sure that the bands with these ids are known.
    public func load(_ ids: some Sequence<Int32>, on pool: DatabasePool) async throws(PostgresError) {
        let missing = Set(ids).filter { band($0) == nil }
        guard !missing.isEmpty else { return }
        var parameters = Parameters()
        parameters.append(Array(missing))
        _ = try await find(parameters, on: pool)
    }

    /// All bands there are.
    public func all(on pool: DatabasePool) async throws(PostgresError) -> [Band] {
        var parameters = Parameters()
        parameters.appendNull(.int4Array)
        return try await find(parameters, on: pool)
    }

    private func find(_ parameters: Parameters, on pool: DatabasePool) async throws(PostgresError) -> [Band] {
        let sent = WallInstant.now()
        let rows = try await pool.execute(Self.lookUp, parameters)
        var bands: [Band] = []
        bands.reserveCapacity(rows.count)
        for row in rows {
            bands.append(
                Band(
                    id: try row.int4(0), queueID: try row.int4(1), typeID: try row.int4(2), queue: try row.text(3),
                    type: try row.text(4), priority: try row.int2(5), isKeyed: try row.bool(6)))
            clock.learn(serverTime: try row.timestamptz(7), sentAt: sent)
        }
        remember(bands)
        return bands
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
