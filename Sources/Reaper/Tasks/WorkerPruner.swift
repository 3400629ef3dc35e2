internal import Jobs
internal import Postgres
internal import Service
internal import Telemetry
internal import Workers

/// Deregisters dead workers, and deletes the rows of workers that no job refers to any more.
struct WorkerPruner: PeriodicTask {
    let name = "prune workers"
    static let interval = Duration.seconds(5)
    static let pauseMin = Duration.milliseconds(100)
    /// Workers of one statement.
    static let batchMax: Int32 = 500

    let registry: WorkerRegistry
    /// The rows are deleted after the jobs that refer to them.
    let policy: RetentionPolicy
    let logger: Logger

    struct Report: TaskReport {
        var dead = 0
        var deleted = 0
        var dueIn: Duration?

        var isNotable: Bool { dead > 0 || deleted > 0 }
        var message: String { "workers were pruned" }
        var fields: LogFields { ["dead": .integer(dead), "deleted": .integer(deleted)] }
    }

    func runOnce() async throws(PostgresError) -> Report {
        let dead = try await registry.prune(atMost: Self.batchMax)
        for worker in dead {
            let fields: LogFields = [
                "worker_id": .integer(worker.id), "worker": .string(worker.name), "host": .string(worker.host),
            ]
            logger.warning("a worker is considered dead: its heartbeat has expired", fields)
        }
        let deleted = try await registry.pruneDeregistered(
            deregisteredHours: policy.longestHours, lateHours: policy.lateHours, atMost: Self.batchMax)
        let isMore = dead.count == Self.batchMax || deleted == Self.batchMax
        return Report(dead: dead.count, deleted: deleted, dueIn: isMore ? .zero : nil)
    }
}
