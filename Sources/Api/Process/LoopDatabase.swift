internal import EventLoop
internal import Jobs
internal import Pauses
internal import Pools
internal import Postgres
internal import Telemetry
internal import Workers

/// The database as one loop has it: connections of its own, and what works with them. Its handlers use no other, so
/// nothing here is shared between threads.
final class LoopDatabase: Sendable {
    let loop: Loop
    let jobs: JobStore
    let workers: WorkerRegistry
    let control: PauseStore
    let pools: PoolStore
    /// For short statements only, which find their rows by index.
    let hot: ConnectionPool
    /// For what may take longer: its sessions plan as PostgreSQL sees fit.
    let general: ConnectionPool
    private let connections: [ConnectionPool]

    /// What all loops share.
    struct Dependencies: Sendable {
        let sessions: DatabaseSettings
        let credentials: ConnectionPool.CredentialsProvider
        let schema: String
        let subqueues: SubqueueDirectory
        let inserts = InsertBatcher()
        let metrics: ConnectionPoolMetrics
        let logger: Logger
    }

    /// - Parameter connections: 3 or more: one for what is not hot, one for NOTIFY, the others for the hot statements.
    init(_ dependencies: Dependencies, connections: Int, on loop: Loop) {
        func pool(_ profile: SessionProfile, size: Int) -> ConnectionPool {
            ConnectionPool(
                dependencies.sessions, profile: profile, options: .init(size: size), on: loop,
                metrics: dependencies.metrics, credentials: dependencies.credentials)
        }
        hot = pool(.hot, size: connections - 2)
        let notifying = pool(.notifying, size: 1)
        general = pool(.general, size: 1)
        self.connections = [hot, general, notifying]
        self.loop = loop
        jobs = JobStore(
            hot: hot, general: general, subqueues: dependencies.subqueues, inserts: dependencies.inserts,
            notifier: ReadyNotifier(pool: notifying, schema: dependencies.schema, logger: dependencies.logger),
            cancelNotifier: CancelNotifier(pool: notifying, schema: dependencies.schema, logger: dependencies.logger))
        workers = WorkerRegistry(pool: hot)
        control = PauseStore(pool: general)
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
