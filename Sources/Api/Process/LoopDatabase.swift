internal import Control
internal import EventLoop
internal import Fleet
internal import Jobs
internal import Pools
internal import Postgres
internal import Telemetry

/// The database as one loop has it: connections of its own, and what works with them. Its handlers use no other, so
/// nothing here is shared between threads.
final class LoopDatabase: Sendable {
    let loop: Loop
    let jobs: JobStore
    let workers: WorkerRegistry
    let control: ControlStore
    let pools: PoolStore
    /// For short statements only, which find their rows by index.
    let hot: DatabasePool
    /// For what may take longer: its sessions plan as PostgreSQL sees fit.
    let general: DatabasePool
    private let connections: [DatabasePool]

    /// What all loops share.
    struct Surroundings: Sendable {
        let sessions: DatabaseSettings
        let credentials: DatabasePool.CredentialsProvider
        let schema: String
        let bands: BandDirectory
        let inserts = MergedInserts()
        let metrics: PoolMetrics
        let logger: Logger
    }

    /// - Parameter connections: 3 or more: one for what is not hot, one for NOTIFY, the others for the hot statements.
    init(_ surroundings: Surroundings, connections: Int, on loop: Loop) {
        func pool(_ profile: SessionProfile, size: Int) -> DatabasePool {
            DatabasePool(
                surroundings.sessions, profile: profile, options: .init(size: size), on: loop,
                metrics: surroundings.metrics, credentials: surroundings.credentials)
        }
        hot = pool(.hot, size: connections - 2)
        let notifying = pool(.notifying, size: 1)
        general = pool(.general, size: 1)
        self.connections = [hot, general, notifying]
        self.loop = loop
        jobs = JobStore(
            hot: hot, general: general, bands: surroundings.bands, inserts: surroundings.inserts,
            notifier: ReadyNotifier(pool: notifying, schema: surroundings.schema, logger: surroundings.logger),
            stopNotifier: StopNotifier(pool: notifying, schema: surroundings.schema, logger: surroundings.logger))
        workers = WorkerRegistry(pool: hot)
        control = ControlStore(pool: general)
        self.pools = PoolStore(pool: general)
    }

    /// Opens a first connection of each kind, so that the first request finds them.
    func start() {
        loop.execute { [connections] in for pool in connections { pool.start() } }
    }

    /// Replaces every connection as soon as nobody uses it: they log in with the credentials of the moment.
    func retireConnections() {
        loop.execute { [connections] in for pool in connections { pool.retireAll() } }
    }

    /// Ends the sessions.
    func close() async {
        await loop.spawn { [connections] in for pool in connections { pool.close() } }.value
    }
}

/// One `LoopDatabase` for each loop of the process.
struct LoopDatabases: Sendable {
    let all: [LoopDatabase]

    /// The one of this loop. There are few.
    subscript(loop: Loop) -> LoopDatabase {
        for database in all where database.loop === loop { return database }
        preconditionFailure("\(loop.label) has no database")
    }

    /// For what the process does as a whole.
    var first: LoopDatabase { all[0] }
}
