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
    let logger: Logger
    private var last: Int32?

    init(store: JobStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    mutating func runOnce() async throws(PostgresError) -> NoReport {
        let epoch = try await store.beginTokenEpoch()
        if let last, last != epoch {
            logger.warning(
                "the database was promoted, restored or copied; commits that this copy did not have are lost: jobs "
                    + "created by them are gone, and jobs finished by them run again",
                ["token_epoch": .integer(epoch)])
        }
        last = epoch
        return NoReport()
    }
}
