internal import Jobs
internal import Postgres
internal import Service
internal import Telemetry
internal import Values

/// Rolls the counter deltas up into totals, so that reading depths stays cheap.
struct TransitionRollup: PeriodicTask {
    let name = "roll up counts"
    /// While no job moves.
    static let interval = Duration.seconds(1)
    /// While jobs move: the low-water marks advance with the rollup.
    static let busyInterval = Duration.milliseconds(250)
    static let pauseMin = Duration.milliseconds(10)
    /// Rows of one statement.
    static let batchMax: Int32 = 20_000
    /// Statements of one run.
    static let batchesMax = 20

    let store: JobStore
    let activity: SharedActivity
    private var cursor = DeltaScanCursor()

    init(store: JobStore, activity: SharedActivity) {
        self.store = store
        self.activity = activity
    }

    struct Report: TaskReport {
        var deltas = 0
        var dueIn: Duration?

        var isNotable: Bool { false }
        var message: String { "counts were rolled up" }
        var fields: LogFields { ["deltas": .integer(deltas)] }
    }

    mutating func runOnce() async throws(PostgresError) -> Report {
        var report = Report()
        let block = cursor.block(at: .now())
        for _ in 0..<Self.batchesMax where !Task.isCancelled {
            let batch = try await store.rollUpDeltas(atMost: Self.batchMax, from: block)
            report.deltas += batch.rows
            activity.add(batch.leased)
            guard batch.rows == Self.batchMax else {
                cursor.drained(from: block, atEnd: batch.blocks, at: .now())
                report.dueIn = report.deltas > 0 ? Self.busyInterval : nil
                return report
            }
        }
        report.dueIn = .zero
        return report
    }
}
