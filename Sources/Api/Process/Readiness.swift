internal import Jobs
internal import Pauses
internal import Postgres
internal import Synchronization

/// Whether the api can do its work now: whether a write would succeed.
final class Readiness: Sendable {
    enum State: Sendable, Equatable {
        /// The database has this migration.
        case ready(schemaVersion: Int32, allIsPaused: Bool)
        /// The reason, for people.
        case unready(String)
    }

    /// The time within which PostgreSQL has to answer.
    static let limit = Duration.seconds(1)
    /// How long an answer is cached: the endpoint needs no key.
    private static let keptFor = Duration.milliseconds(100)

    private let draining = Atomic(false)
    private let database: SingleFlightCache<State>

    init(_ database: LoopDatabase) {
        // Not the general pool: a long list must not make the process unready.
        let pool = database.hot
        self.database = SingleFlightCache(
            on: database.loop, keptFor: Self.keptFor, limit: Self.limit,
            whenLate: { Self.late(pool) },
            find: { await Self.ask(pool) })
    }

    var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// From now on the answer is no, so that load balancers send no more requests.
    func beginDraining() {
        draining.store(true, ordering: .relaxed)
    }

    func state() async -> State {
        if isDraining { return .unready("the process is stopping") }
        return await database.value()
    }

    private static func late(_ pool: ConnectionPool) -> State {
        .unready(pool.lastFailure == nil ? "PostgreSQL does not answer within 1 s" : "PostgreSQL cannot be reached")
    }

    private static func ask(_ pool: ConnectionPool) async -> State {
        do throws(PostgresError) {
            let version = try await SchemaVersion.current { (statement) async throws(PostgresError) in
                try await pool.execute(statement, timeout: limit)
            }
            let state = judge(schemaVersion: version)
            guard case .ready(let version, _) = state else { return state }
            guard try await WriteCheck.passes(on: pool, timeout: limit) else {
                return .unready("PostgreSQL accepts no writes: it is a standby, or read-only")
            }
            // The answer also explains why nothing runs. A pause does not make the api unready.
            return .ready(
                schemaVersion: version, allIsPaused: try await PauseStore(pool: pool).latest().allIsPaused)
        } catch {
            return .unready(reason(error))
        }
    }

    static func judge(schemaVersion version: Int32?) -> State {
        if let obstacle = SchemaVersion.obstacle(current: version) { return .unready(obstacle) }
        return .ready(schemaVersion: version ?? 0, allIsPaused: false)
    }

    /// Without PostgreSQL's message, which is for the log: the endpoint needs no key.
    private static func reason(_ error: PostgresError) -> String {
        switch error {
        case .deadlineExceeded: "PostgreSQL does not answer within 1 s"
        case .server: "PostgreSQL answers with an error"
        default: "PostgreSQL cannot be reached"
        }
    }
}
