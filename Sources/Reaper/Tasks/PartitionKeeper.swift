internal import EventLoop
internal import Jobs
internal import Postgres
internal import Telemetry

/// Makes the partitions of the days to come.
///
/// Should nobody do it for longer than they last, jobs go to the default partitions, and nothing stops.
struct PartitionKeeper: PeriodicTask {
    static let name = "make partitions"
    static let interval = Duration.seconds(3_600)
    /// After a lock was not to be had.
    static let retryPause = Duration.seconds(60)
    static let daysAhead: Int32 = 2

    let store: JobStore
    let partitionDays: Int32

    struct Report: TaskReport {
        let made: Int64
        let dueIn: Duration?

        var isNotable: Bool { made > 0 }
        var message: String { "partitions of days to come were made" }
        var fields: LogFields { ["partitions": .integer(made)] }
    }

    func runOnce() async throws(PostgresError) -> Report {
        switch try await store.ensurePartitions(ofDays: partitionDays, daysAhead: Self.daysAhead) {
        case .done(let made): Report(made: made, dueIn: nil)
        case .refused, .busy: Report(made: 0, dueIn: Self.retryPause)
        }
    }
}
