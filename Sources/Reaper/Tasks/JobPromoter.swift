internal import Jobs
internal import Postgres
internal import Telemetry
internal import Values

/// Makes jobs ready whose time has come: delayed ones, and those that have waited out their backoff.
///
/// It runs when the next one is due, and at its interval in any case, because one may be added meanwhile that is due
/// sooner. So the interval is the longest that a job with a near `run_at` starts late.
struct JobPromoter: PeriodicTask {
    static let name = "promote jobs"
    static let pauseMin = Duration.milliseconds(5)
    /// Of one statement.
    static let batchMax: Int32 = 1_000
    /// Of one run, so that there is a report now and then.
    static let batchesMax = 20

    let store: JobStore
    private var floor = ScanCursor()

    init(store: JobStore) {
        self.store = store
    }

    struct Report: TaskReport {
        var promoted = 0
        var dueIn: Duration?

        /// Retries are what jobs do: of a line each only an operator who looks for them wants to know.
        var isNotable: Bool { promoted >= 1_000 }
        var message: String { "jobs whose time has come may run now" }
        var fields: LogFields { ["promoted": .integer(promoted)] }
    }

    mutating func runOnce() async throws(PostgresError) -> Report {
        var report = Report()
        for _ in 0..<Self.batchesMax where !Task.isCancelled {
            let batch = try await store.promoteDue(atMost: Self.batchMax, from: floor.lowerBound)
            report.promoted += batch.count
            report.dueIn = batch.nextDue.map { max(.zero, $0 - batch.moment) }
            if batch.count < Self.batchMax {
                floor.drained(at: batch.moment)
                break
            }
        }
        return report
    }
}
