internal import EventLoop
internal import Jobs
internal import Postgres
internal import Telemetry

/// Adds up what the statements have counted, so that reading the depths stays cheap.
struct TransitionRollup: PeriodicTask {
    static let name = "fold counts"
    /// While nothing happens.
    static let interval = Duration.seconds(1)
    /// While jobs move: the marks rise by what is folded.
    static let busyInterval = Duration.milliseconds(250)
    static let pauseMin = Duration.milliseconds(10)
    /// Rows of one statement.
    static let batchMax: Int32 = 20_000
    /// Of one run.
    static let batchesMax = 20

    let store: JobStore
    let activity: SharedActivity
    private var floor = DeltaScanCursor()

    init(store: JobStore, activity: SharedActivity) {
        self.store = store
        self.activity = activity
    }

    struct Report: TaskReport {
        var folded = 0
        var dueIn: Duration?

        var isNotable: Bool { false }
        var message: String { "counts were folded" }
        var fields: LogFields { ["folded": .integer(folded)] }
    }

    mutating func runOnce() async throws(PostgresError) -> Report {
        var report = Report()
        for _ in 0..<Self.batchesMax where !Task.isCancelled {
            let batch = try await store.rollUpDeltas(atMost: Self.batchMax, from: floor.block)
            report.folded += batch.rows
            activity.add(batch.leased)
            guard batch.rows == Self.batchMax else {
                floor.drained(atEnd: batch.blocks)
                report.dueIn = report.folded > 0 ? Self.busyInterval : nil
                return report
            }
        }
        report.dueIn = .zero
        return report
    }
}
