internal import Pauses
internal import Postgres
internal import Telemetry

/// Writes down that pauses have ended which had a time for it. They hold nothing back from that time on, with or without
/// a reaper; this is for the history, and for the workers, which hear of it.
struct PauseEnder: PeriodicTask {
    static let name = "end pauses"
    static let interval = Duration.seconds(1)
    static let pauseMin = Duration.milliseconds(100)

    let control: PauseStore

    struct Report: TaskReport {
        var scopes: [PauseScope] = []

        var isNotable: Bool { !scopes.isEmpty }
        var message: String { "pauses have ended" }
        var fields: LogFields { ["scopes": .string(scopes.map(\.text).joined(separator: " "))] }
    }

    mutating func runOnce() async throws(PostgresError) -> Report {
        Report(scopes: try await control.resumeDue())
    }
}
