internal import Configuration
internal import EventLoop
internal import Jobs
internal import Pools
internal import Postgres
internal import Telemetry
internal import Workers

/// The connections of a reaper, and what it reaches by them.
final class ReaperPools: Sendable {
    let store: JobStore
    let registry: WorkerRegistry
    let workloads: PoolStore
    /// For what takes long, and needs no plan that is forced: partitions.
    let general: ConnectionPool
    private let hot: ConnectionPool
    private let notifying: ConnectionPool
    private let database: DatabaseSource
    private let loop: Loop
    private let logger: Logger

    init(_ settings: ReaperSettings, on loop: Loop, logger: Logger) throws(DatabaseSettings.InvalidURL) {
        database = settings.database
        self.loop = loop
        self.logger = logger
        let sessions = try settings.sessions()
        let credentials = database.credentials
        func pool(_ profile: SessionProfile, size: Int) -> ConnectionPool {
            ConnectionPool(
                sessions, profile: profile, options: ConnectionPool.Options(size: size), on: loop,
                credentials: credentials)
        }
        hot = pool(.reaping, size: settings.poolSize - 2)
        general = pool(.general, size: 1)
        notifying = pool(.notifying, size: 1)
        let notifier = ReadyNotifier(pool: notifying, schema: settings.schema, logger: logger)
        store = JobStore(hot: hot, general: general, subqueues: SubqueueDirectory(), notifier: notifier)
        registry = WorkerRegistry(pool: hot)
        workloads = PoolStore(pool: hot)
    }

    /// Looks for rotated credentials until it is cancelled.
    func watchCredentials() async {
        while (try? await loop.sleep(for: .seconds(2))) != nil {
            switch database.refresh() {
            case .unchanged: break
            case .rotated:
                logger.info("database credentials were rotated")
                for pool in [hot, general, notifying] { pool.retireAll() }
            case .failed(let problem):
                logger.warning("database credentials cannot be read", ["error": .string(problem)])
            }
        }
    }

    func close() {
        for pool in [hot, general, notifying] { pool.close() }
    }
}

extension SessionProfile {
    /// Hot, without waiting for the disk: whatever a crash takes back of a reaper's work is found and done again.
    fileprivate static let reaping = SessionProfile(
        parameters: SessionProfile.hot.parameters + [("synchronous_commit", "off")])
}
