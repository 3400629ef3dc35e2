internal import Jobs
internal import Postgres
internal import Service
internal import Telemetry
internal import Workers

/// Deregisters the workers whose heartbeats have stopped, and has their leases reclaimed at once.
struct DeadWorkerFinder: PeriodicTask {
    let name = "find dead workers"
    static let interval = Duration.seconds(1)
    static let pauseMin = Duration.milliseconds(100)
    /// Workers of one statement.
    static let batchMax: Int32 = 500

    let registry: WorkerRegistry
    let logger: Logger
    /// Called after a run that found some.
    let reclaimSoon: @Sendable () -> Void

    struct Report: TaskReport {
        var dead = 0
        var dueIn: Duration?

        var isNotable: Bool { dead > 0 }
        var message: String { "workers were considered dead" }
        var fields: LogFields { ["dead": .integer(dead)] }
    }

    func runOnce() async throws(PostgresError) -> Report {
        let dead = try await registry.deregisterDead(atMost: Self.batchMax)
        for worker in dead {
            let fields: LogFields = [
                "worker_id": .integer(worker.id), "worker": .string(worker.name), "host": .string(worker.host),
            ]
            logger.warning("a worker is considered dead: its heartbeats have stopped", fields)
        }
        if !dead.isEmpty { reclaimSoon() }
        return Report(dead: dead.count, dueIn: dead.count == Self.batchMax ? .zero : nil)
    }
}
