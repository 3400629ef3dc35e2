internal import Jobs
internal import Postgres
internal import Service
internal import Telemetry

/// Begins a new epoch of lease tokens after a restore that nobody has migrated. A promotion is noticed by the first
/// lease itself.
struct TokenEpochKeeper: PeriodicTask {
    let name = "keep token epoch"
    static let interval = Duration.seconds(60)
    static let pauseMin = Duration.seconds(1)

    let store: JobStore
    private var last: Int32?

    init(store: JobStore) {
        self.store = store
    }

    struct Report: TaskReport {
        let epoch: Int32
        let isNotable: Bool
        var message: String { "an epoch of lease tokens has begun: the database was promoted, restored or copied" }
        var fields: LogFields { ["epoch": .integer(epoch)] }
    }

    mutating func runOnce() async throws(PostgresError) -> Report {
        let epoch = try await store.beginTokenEpoch()
        defer { last = epoch }
        return Report(epoch: epoch, isNotable: last.map { $0 != epoch } ?? false)
    }
}
