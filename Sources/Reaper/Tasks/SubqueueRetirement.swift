internal import Jobs
internal import Postgres
internal import Service
internal import Telemetry

/// Retires subqueues without jobs, and removes those that have stayed without jobs for a day, with their queues if
/// these have no settings. So a queue that was used once does not cost anything for ever.
struct SubqueueRetirement: PeriodicTask {
    let name = "remove subqueues"
    /// Between two sweeps.
    static let interval = Duration.seconds(1_800)
    static let pauseMin = Duration.milliseconds(200)
    /// How long a subqueue stays without jobs before it is removed.
    static let rest = Duration.seconds(86_400)
    /// Subqueues that one statement looks at.
    static let batchMax: Int32 = 500
    /// Statements of one run.
    static let batchesMax = 20

    let store: JobStore
    /// The positions of the sweeps under way; nil: that sweep is over.
    private var toRetire: Int32? = 0
    private var toRemove: Int32? = 0

    init(store: JobStore) {
        self.store = store
    }

    struct Report: TaskReport {
        var retired = 0
        var subqueues = 0
        var queues = 0
        /// Names in the metrics that are free again.
        var metricNames = 0
        var dueIn: Duration?

        var isNotable: Bool { subqueues > 0 || metricNames > 0 }
        var message: String { "subqueues without jobs were removed" }
        var fields: LogFields {
            [
                "subqueues": .integer(subqueues), "queues": .integer(queues), "retired": .integer(retired),
                "metric_names": .integer(metricNames),
            ]
        }
    }

    mutating func runOnce() async throws(PostgresError) -> Report {
        var report = Report()
        for _ in 0..<Self.batchesMax where !Task.isCancelled {
            if let position = toRetire {
                let batch = try await store.retireEmptySubqueues(after: position, atMost: Self.batchMax)
                report.retired += batch.retired
                toRetire = batch.next
            } else if let position = toRemove {
                let removal = try await store.removeRetiredSubqueues(
                    restingFor: Self.rest, after: position, atMost: Self.batchMax)
                report.subqueues += removal.subqueues
                report.queues += removal.queues
                toRemove = removal.next
            } else {
                break
            }
        }
        if toRetire == nil, toRemove == nil {
            report.metricNames = try await store.releaseMetricNames()
            (toRetire, toRemove) = (0, 0)
        } else {
            report.dueIn = .zero
        }
        return report
    }
}
