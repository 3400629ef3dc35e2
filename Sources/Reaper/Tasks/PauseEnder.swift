internal import Pauses
internal import Postgres
internal import Service
internal import Telemetry

/// Records the end of pauses with a `resume_at`. They have no effect from that time on, with or without a reaper; the
/// record is for the history and notifies the workers.
struct PauseEnder: PeriodicTask {
    let name = "end pauses"
    static let interval = Duration.seconds(1)
    static let pauseMin = Duration.milliseconds(100)

    let pauses: PauseStore

    struct Report: TaskReport {
        var scopes: [PauseScope] = []

        var isNotable: Bool { !scopes.isEmpty }
        var message: String { "pauses have ended" }
        var fields: LogFields { ["scopes": .string(scopes.map(\.text).joined(separator: " "))] }
    }

    mutating func runOnce() async throws(PostgresError) -> Report {
        Report(scopes: try await pauses.resumeDue())
    }
}
