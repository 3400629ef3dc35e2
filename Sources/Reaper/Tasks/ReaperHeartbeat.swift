internal import Postgres
internal import Service
internal import Telemetry
internal import Workers

/// Records that a reaper runs, and so advances the liveness clock. A reaper has no port: the metrics page of the api
/// shows the age of this record.
struct ReaperHeartbeat: PeriodicTask {
    let name = "record heartbeat"
    static let interval = Duration.seconds(1)
    static let pauseMin = Duration.milliseconds(100)

    let registry: WorkerRegistry

    struct Report: TaskReport {
        var isNotable: Bool { false }
        var message: String { "the heartbeat was recorded" }
        var fields: LogFields { [:] }
    }

    func runOnce() async throws(PostgresError) -> Report {
        try await registry.recordReaperHeartbeat()
        return Report()
    }
}
