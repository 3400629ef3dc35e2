internal import EventLoop
internal import Jobs
internal import Postgres
internal import Telemetry
internal import Values
internal import Workers

/// Finds out which jobs of this worker are to stop, and has them stopped: when it is notified, and else as often as the
/// heart beats. A renewal tells the same, which is soon enough only for short leases.
final class CancelWatcher: Sendable {
    private let store: JobStore
    private let identity: WorkerIdentity
    private let runner: AttemptRunner
    private let logger: Logger
    private let wakeSignal: WakeSignal

    init(store: JobStore, identity: WorkerIdentity, runner: AttemptRunner, on loop: Loop, logger: Logger) {
        self.store = store
        self.identity = identity
        self.runner = runner
        self.logger = logger
        wakeSignal = WakeSignal(on: loop)
    }

    /// Jobs of these workers, by id, are to stop. Call it on the loop.
    func notified(of workers: some Sequence<Substring>) {
        let own = Set(identity.all.map { "\($0)" })
        if workers.contains(where: { own.contains(String($0)) }) { lookAgain() }
    }

    /// Notifications may have been missed. Call it on the loop.
    func lookAgain() {
        wakeSignal.wake()
    }

    /// Until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await wakeSignal.wait(until: .now() + .seconds(WorkerRegistry.heartbeatSeconds))
            guard !Task.isCancelled, !runner.isIdle else { continue }
            do throws(PostgresError) {
                runner.cancel(try await store.cancelRequests(workers: identity.all))
            } catch {
                logger.warning("it is not known which jobs are to stop", ["error": .error(error)])
            }
        }
    }
}
