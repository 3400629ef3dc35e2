internal import Configuration
internal import Service
internal import Telemetry

/// Has the handlers file read again when it has changed.
struct HandlersFileWatcher: PeriodicTask {
    static let interval = Duration.seconds(2)

    let name = "watch handlers file"
    let failureMessage = "the handlers file cannot be read"
    let failureLevel = LogLevel.warning
    var file: FileWatch
    let reload: @Sendable () -> Void

    mutating func runOnce() async throws(Never) -> NoReport {
        // A file that has disappeared will be back: an editor or a mounted ConfigMap replaces it.
        if file.poll() == .changed { reload() }
        return NoReport()
    }
}
