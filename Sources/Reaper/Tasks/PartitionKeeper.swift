internal import Jobs
internal import Postgres
internal import Service
internal import Telemetry

/// Creates the partitions of the coming days.
///
/// If no reaper does it in time, jobs go to the default partitions, and nothing stops.
struct PartitionKeeper: PeriodicTask {
    let name = "create partitions"
    static let interval = Duration.seconds(3_600)
    /// After a lock was not granted.
    static let retryPause = Duration.seconds(60)
    static let daysAhead: Int32 = 2

    let store: JobStore
    let partitionDays: Int32

    struct Report: TaskReport {
        let created: Int64
        let dueIn: Duration?

        var isNotable: Bool { created > 0 }
        var message: String { "partitions were created" }
        var fields: LogFields { ["partitions": .integer(created)] }
    }

    func runOnce() async throws(PostgresError) -> Report {
        switch try await store.ensurePartitions(ofDays: partitionDays, daysAhead: Self.daysAhead) {
        case .done(let created): Report(created: created, dueIn: nil)
        case .refused, .busy: Report(created: 0, dueIn: Self.retryPause)
        }
    }
}
