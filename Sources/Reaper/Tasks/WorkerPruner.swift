internal import EventLoop
internal import Jobs
internal import Postgres
internal import Telemetry
internal import Workers

/// Says goodbye for workers that ended without doing so, and forgets those that no job names any more.
struct WorkerPruner: PeriodicTask {
    static let name = "prune workers"
    static let interval = Duration.seconds(5)
    static let pauseMin = Duration.milliseconds(100)
    /// Workers of one statement.
    static let batchMax: Int32 = 500

    let registry: WorkerRegistry
    /// Departed workers are forgotten after the jobs that name them.
    let policy: RetentionPolicy
    let logger: Logger

    struct Report: TaskReport {
        var dead = 0
        var forgotten = 0
        var dueIn: Duration?

        var isNotable: Bool { dead > 0 || forgotten > 0 }
        var message: String { "workers were pruned" }
        var fields: LogFields { ["dead": .integer(dead), "forgotten": .integer(forgotten)] }
    }

    func runOnce() async throws(PostgresError) -> Report {
        let dead = try await registry.prune(atMost: Self.batchMax)
        for worker in dead {
            let fields: LogFields = [
                "worker_id": .integer(worker.id), "worker": .string(worker.name), "host": .string(worker.host),
            ]
            logger.warning("a worker is dead: its heartbeat has run out", fields)
        }
        let forgotten = try await registry.pruneDeregistered(
            deregisteredHours: policy.longestHours, lateHours: policy.lateHours, atMost: Self.batchMax)
        let isMore = dead.count == Self.batchMax || forgotten == Self.batchMax
        return Report(dead: dead.count, forgotten: forgotten, dueIn: isMore ? .zero : nil)
    }
}
