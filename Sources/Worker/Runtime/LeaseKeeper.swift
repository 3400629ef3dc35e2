internal import EventLoop
internal import Jobs
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values

/// Keeps the leases of this worker: renews them in time, stops jobs that exceed their deadline, and stops jobs whose
/// lease could not be renewed before another worker may run them.
final class LeaseKeeper: Sendable {
    /// Between two checks of the clocks: the precision of deadlines.
    static let interval = Duration.milliseconds(100)

    private let runner: AttemptRunner
    private let store: JobStore
    private let leaseDuration: Duration
    private let loop: Loop
    private let logger: Logger
    private let isRenewing = Atomic(false)

    init(runner: AttemptRunner, store: JobStore, leaseDuration: Duration, on loop: Loop, logger: Logger) {
        self.runner = runner
        self.store = store
        self.leaseDuration = leaseDuration
        self.loop = loop
        self.logger = logger
    }

    /// Checks the clocks. Does not wait for the renewal that it begins, so that the next check is not late.
    func checkClocks() {
        let due = runner.tick(now: .now())
        guard !due.isEmpty, !isRenewing.exchange(true, ordering: .relaxed) else { return }
        loop.spawn { [self] in
            await renew(due)
            isRenewing.store(false, ordering: .relaxed)
        }
    }

    private func renew(_ leases: [HeldLease]) async {
        let sentAt = MonotonicInstant.now()
        do throws(PostgresError) {
            let held = try await store.renew(leases, leaseSeconds: leaseDuration.inSeconds)
            runner.renewed(leases, held, sentAt: sentAt)
        } catch {
            logger.warning(
                "leases could not be renewed; retrying", ["count": .integer(leases.count), "error": .error(error)])
        }
    }
}
