internal import Jobs
internal import Postgres
internal import Service
internal import Telemetry
internal import Workers

/// Finds the running jobs of this worker that were cancelled, and asks them to stop. It runs when it is notified, and
/// at the interval of heartbeats. A renewal gives the same answer, but only short leases are renewed often enough.
struct CancelWatcher: PeriodicTask {
    static let interval = Duration.seconds(WorkerRegistry.heartbeatSeconds)

    let name = "cancellations"
    let failureMessage = "cannot read which jobs were cancelled; retrying"
    let failureLevel = LogLevel.warning
    let store: JobStore
    let identity: WorkerIdentity
    let runner: AttemptRunner

    /// Whether a notification with the ids of these workers concerns this one.
    func isMeant(by workers: some Sequence<Substring>) -> Bool {
        let own = Set(identity.all.map { "\($0)" })
        return workers.contains { own.contains(String($0)) }
    }

    func runOnce() async throws(PostgresError) -> NoReport {
        if !runner.isIdle { runner.cancel(try await store.cancelRequests(workers: identity.all)) }
        return NoReport()
    }
}
