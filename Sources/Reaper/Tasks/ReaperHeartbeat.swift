internal import Postgres
internal import Telemetry
internal import Workers

/// Leaves word that a reaper goes its rounds: it has no port, and the page of metrics tells by this that there is one.
struct ReaperHeartbeat: PeriodicTask {
    static let name = "note the round"
    static let interval = Duration.seconds(5)
    static let pauseMin = Duration.seconds(1)

    let registry: WorkerRegistry

    struct Report: TaskReport {
        var isNotable: Bool { false }
        var message: String { "the round was noted" }
        var fields: LogFields { [:] }
    }

    func runOnce() async throws(PostgresError) -> Report {
        try await registry.recordReaperHeartbeat()
        return Report()
    }
}
