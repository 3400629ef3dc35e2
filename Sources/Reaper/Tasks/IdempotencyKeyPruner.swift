internal import EventLoop
internal import Jobs
internal import Postgres
internal import Telemetry

/// Forgets idempotency keys of requests that are older than a day. They do not count any more before that.
struct IdempotencyKeyPruner: PeriodicTask {
    static let name = "forget idempotency keys"
    static let interval = Duration.seconds(60)
    static let pauseMin = Duration.milliseconds(100)
    /// Keys of one statement.
    static let batchMax: Int32 = 1_000

    let store: JobStore

    struct Report: TaskReport {
        var forgotten = 0
        var dueIn: Duration?

        var isNotable: Bool { forgotten > 0 }
        var message: String { "idempotency keys were forgotten" }
        var fields: LogFields { ["forgotten": .integer(forgotten)] }
    }

    func runOnce() async throws(PostgresError) -> Report {
        let forgotten = try await store.pruneIdempotencyKeys(atMost: Self.batchMax)
        return Report(forgotten: forgotten, dueIn: forgotten == Self.batchMax ? .zero : nil)
    }
}
