internal import Jobs
internal import Postgres
internal import Service
internal import Telemetry
internal import Workers

/// Deletes the rows of deregistered workers that no job refers to any more.
struct WorkerPruner: PeriodicTask {
    let name = "prune workers"
    static let interval = Duration.seconds(60)
    static let pauseMin = Duration.milliseconds(100)
    /// Workers of one statement.
    static let batchMax: Int32 = 500

    let registry: WorkerRegistry
    /// The rows are deleted after the jobs that refer to them.
    let policy: RetentionPolicy

    struct Report: TaskReport {
        var deleted = 0
        var dueIn: Duration?

        var isNotable: Bool { deleted > 0 }
        var message: String { "rows of workers were deleted" }
        var fields: LogFields { ["deleted": .integer(deleted)] }
    }

    func runOnce() async throws(PostgresError) -> Report {
        let deleted = try await registry.pruneDeregistered(
            deregisteredHours: policy.longestHours, lateHours: policy.lateHours, atMost: Self.batchMax)
        return Report(deleted: deleted, dueIn: deleted == Self.batchMax ? .zero : nil)
    }
}
