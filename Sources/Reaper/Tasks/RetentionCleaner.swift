internal import Jobs
internal import Postgres
internal import Service
internal import Telemetry

/// Removes ended jobs whose retention has passed: whole partitions if it has passed for all their jobs, and the others
/// in batches.
///
/// A sweep over many jobs is spread over several runs with pauses in between, to limit the load on the database.
struct RetentionCleaner: PeriodicTask {
    let name = "remove ended jobs"
    /// Between two runs of one sweep.
    static let pauseMin = Duration.milliseconds(200)
    /// Jobs that one statement looks at.
    static let batchMax: Int32 = 1_000
    /// Statements of one run.
    static let batchesMax = 20

    let store: JobStore
    let policy: RetentionPolicy
    /// The position of the sweep under way; nil between two sweeps.
    private var cursor: RemovalCursor?

    init(store: JobStore, policy: RetentionPolicy) {
        self.store = store
        self.policy = policy
    }

    struct Report: TaskReport {
        var succeeded = 0
        var failed = 0
        var cancelled = 0
        /// Partitions, and the jobs in them.
        var partitionsDropped = 0
        var dropped: Int64 = 0
        var dueIn: Duration?

        var removed: Int { succeeded + failed + cancelled }
        var isNotable: Bool { removed > 0 || partitionsDropped > 0 }
        var message: String { "ended jobs were removed" }
        var fields: LogFields {
            [
                "removed": .integer(removed), "succeeded": .integer(succeeded), "failed": .integer(failed),
                "cancelled": .integer(cancelled), "partitions_dropped": .integer(partitionsDropped),
                "dropped_with_partitions": .integer(dropped),
            ]
        }
    }

    mutating func runOnce() async throws(PostgresError) -> Report {
        var report = Report()
        if cursor == nil { try await dropPartitions(&report) }
        var position = cursor ?? .start
        for _ in 0..<Self.batchesMax where !Task.isCancelled {
            let batch = try await store.removeEnded(policy, after: position, atMost: Self.batchMax)
            report.count(batch)
            cursor = batch.next
            guard let next = batch.next else { return report }
            position = next
        }
        report.dueIn = .zero
        return report
    }

    private func dropPartitions(_ report: inout Report) async throws(PostgresError) {
        for day in try await store.droppablePartitions(policy) where !Task.isCancelled {
            switch try await store.dropPartition(from: day, policy) {
            case .done(let jobs):
                report.partitionsDropped += 1
                report.dropped += jobs
            // The next sweep tries again.
            case .refused, .busy: break
            }
        }
    }
}

extension RetentionCleaner.Report {
    fileprivate mutating func count(_ batch: RemovalBatch) {
        succeeded += batch.succeeded
        failed += batch.failed
        cancelled += batch.cancelled
    }
}
