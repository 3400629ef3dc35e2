internal import EventLoop
internal import Jobs
internal import Pauses
internal import Pools
internal import Postgres
internal import Service
internal import Telemetry
internal import Workers

/// The database as one loop uses it: sessions of its own, and the stores that work with them. The handlers of the loop
/// use no other, so threads share nothing here.
final class LoopDatabase: Sendable {
    let loop: Loop
    let sessions: DatabaseSessions
    let jobs: JobStore
    let queues: QueueReports
    let workers: WorkerRegistry
    let control: PauseStore
    let pools: PoolStore

    var hot: ConnectionPool { sessions.hot }
    var general: ConnectionPool { sessions.general }

    /// How long PostgreSQL may take for a statement of a request. No request needs more than a second; a client whose
    /// request meets a PostgreSQL that hangs must learn it before it gives up.
    private static let answerLimit = Duration.seconds(10)

    /// What all loops share.
    struct Dependencies: Sendable {
        let settings: SessionSettings
        let metrics: ConnectionPoolMetrics
        let logger: Logger
        let subqueues = SubqueueDirectory()
        let inserts = InsertBatcher()

        init(_ settings: SessionSettings, metrics registry: MetricRegistry, logger: Logger) {
            self.settings = settings
            self.logger = logger
            metrics = ConnectionPoolMetrics(registry: registry)
        }
    }

    /// - Parameter connections: `DatabaseSessions.connectionsMin` or more.
    init(_ dependencies: Dependencies, connections: Int, on loop: Loop) {
        let (settings, logger) = (dependencies.settings, dependencies.logger)
        sessions = DatabaseSessions(
            settings, connections: connections, answerWithin: Self.answerLimit, metrics: dependencies.metrics, on: loop)
        self.loop = loop
        let notifying = sessions.notifying
        jobs = JobStore(
            hot: sessions.hot, general: sessions.general, subqueues: dependencies.subqueues,
            inserts: dependencies.inserts,
            notifier: ReadyNotifier(pool: notifying, schema: settings.schema, logger: logger),
            cancelNotifier: CancelNotifier(pool: notifying, schema: settings.schema, logger: logger))
        queues = QueueReports(pool: sessions.general)
        workers = WorkerRegistry(pool: sessions.hot)
        control = PauseStore(pool: sessions.general)
        pools = PoolStore(pool: sessions.general)
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

    /// For the tasks of the whole process.
    var first: LoopDatabase { all[0] }
}
