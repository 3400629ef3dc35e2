internal import Jobs
internal import Postgres
internal import Service
internal import Telemetry

/// Deletes idempotency keys that are older than a day. They have no effect any more by then.
struct IdempotencyKeyPruner: PeriodicTask {
    let name = "prune idempotency keys"
    static let interval = Duration.seconds(60)
    static let pauseMin = Duration.milliseconds(100)
    /// Keys of one statement.
    static let batchMax: Int32 = 1_000

    let store: JobStore

    struct Report: TaskReport {
        var deleted = 0
        var dueIn: Duration?

        var isNotable: Bool { deleted > 0 }
        var message: String { "idempotency keys were deleted" }
        var fields: LogFields { ["deleted": .integer(deleted)] }
    }

    func runOnce() async throws(PostgresError) -> Report {
        let deleted = try await store.pruneIdempotencyKeys(atMost: Self.batchMax)
        return Report(deleted: deleted, dueIn: deleted == Self.batchMax ? .zero : nil)
    }
}
