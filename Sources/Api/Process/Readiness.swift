internal import Pauses
internal import Postgres
internal import Synchronization

/// Whether this process can do its work now.
final class Readiness: Sendable {
    enum State: Sendable, Equatable {
        /// With the database at this migration.
        case ready(schemaVersion: Int32, allIsPaused: Bool)
        /// What is missing, for people.
        case unready(String)
    }

    /// PostgreSQL has this long to answer.
    static let limit = Duration.seconds(1)
    /// How old an answer may be: probes come every few seconds, and anybody may ask.
    private static let keptFor = Duration.milliseconds(100)

    private let draining = Atomic(false)
    private let database: SingleFlightCache<State>

    init(_ database: LoopDatabase) {
        // A long list must not make the process look as if it could not work.
        let pool = database.hot
        self.database = SingleFlightCache(
            on: database.loop, keptFor: Self.keptFor, limit: Self.limit,
            whenLate: { Self.late(pool) },
            find: { await Self.ask(pool) })
    }

    var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// From now on the answer is no, so that load balancers turn away.
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
            // Whoever only reads this page should learn why nothing runs. Requests are welcome all the same.
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

    /// Without the words of PostgreSQL: whoever asks has not shown a key. They are in the log.
    private static func reason(_ error: PostgresError) -> String {
        switch error {
        case .deadlineExceeded: "PostgreSQL does not answer within 1 s"
        case .server: "PostgreSQL answers with an error"
        default: "PostgreSQL cannot be reached"
        }
    }
}
