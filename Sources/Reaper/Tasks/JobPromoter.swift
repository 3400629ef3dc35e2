internal import Jobs
internal import Postgres
internal import Service
internal import Telemetry
internal import Values

/// Promotes due jobs: delayed ones, and those whose backoff has passed.
///
/// It runs when the next job is due, and at its interval in any case, because a job that is added meanwhile may be due
/// sooner. So the interval is the maximum delay of a job with a near `run_at`.
struct JobPromoter: PeriodicTask {
    let name = "promote jobs"
    static let pauseMin = Duration.milliseconds(5)
    /// Jobs of one statement.
    static let batchMax: Int32 = 1_000
    /// Statements of one run, so that a report comes now and then.
    static let batchesMax = 20

    let store: JobStore
    private var cursor = ScanCursor()

    init(store: JobStore) {
        self.store = store
    }

    struct Report: TaskReport {
        var promoted = 0
        var dueIn: Duration?

        /// A line for each retry would fill the log.
        var isNotable: Bool { promoted >= 1_000 }
        var message: String { "due jobs were promoted" }
        var fields: LogFields { ["promoted": .integer(promoted)] }
    }

    mutating func runOnce() async throws(PostgresError) -> Report {
        var report = Report()
        for _ in 0..<Self.batchesMax where !Task.isCancelled {
            let batch = try await store.promoteDue(atMost: Self.batchMax, from: cursor.lowerBound)
            report.promoted += batch.count
            report.dueIn = batch.nextDue.map { max(.zero, $0 - batch.moment) }
            if batch.count < Self.batchMax {
                cursor.drained(at: batch.moment)
                break
            }
        }
        return report
    }
}
