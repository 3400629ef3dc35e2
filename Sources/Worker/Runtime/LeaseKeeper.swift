internal import EventLoop
internal import Jobs
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values

/// Keeps the leases of this worker: renews them in time, stops what exceeds its deadline, and stops what could no
/// longer be renewed before somebody else may run it.
final class LeaseKeeper: Sendable {
    /// How exact deadlines are.
    private static let interval = Duration.milliseconds(100)

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

    /// Until the task is cancelled. The clocks are looked at while a renewal is under way, too.
    func run() async {
        while true {
            do throws(CancellationError) {
                try await loop.sleep(for: Self.interval)
            } catch {
                return
            }
            let due = runner.tick(now: .now())
            guard !due.isEmpty, !isRenewing.exchange(true, ordering: .relaxed) else { continue }
            loop.spawn { [self] in
                await renew(due)
                isRenewing.store(false, ordering: .relaxed)
            }
        }
    }

    private func renew(_ leases: [HeldLease]) async {
        let sentAt = MonotonicInstant.now()
        do throws(PostgresError) {
            let held = try await store.renew(leases, leaseSeconds: leaseDuration.inSeconds)
            runner.renewed(leases, held, sentAt: sentAt)
        } catch {
            logger.warning(
                "leases could not be renewed", ["count": .integer(leases.count), "error": .error(error)])
        }
    }
}
