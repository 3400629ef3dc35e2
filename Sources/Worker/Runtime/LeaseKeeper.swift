internal import EventLoop
internal import Jobs
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values

/// Renews the leases of this worker, and cancels the attempts whose deadline or lease is over.
///
/// Every 100 ms it compares all held leases with this machine's monotonic clock. A lease is renewed after a third of
/// its duration (`LeaseClock`). One renewal is under way at a time; the clocks are also checked while it is. On a
/// failure:
/// - The statement fails or does not return: a later check renews again. When a tenth of a lease is left, its attempt
///   is cancelled (`leaseLost`), before PostgreSQL can give the job to another worker.
/// - PostgreSQL no longer has a lease under its token: its attempt is cancelled at once.
/// - A cancellation of the job was requested: the renewal returns it, and the attempt is cancelled. This finds what a
///   missed notification has left out.
/// - Another transaction has locked the row: the lease is neither renewed nor lost, and a later check renews it.
final class LeaseKeeper: Sendable {
    /// Interval of `checkClocks`: the resolution of deadlines and lease ends.
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

    /// Checks the clocks. Does not wait for the renewal that it starts, so that the next check is not late.
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
            runner.applyRenewal(of: leases, held: held, sentAt: sentAt)
        } catch {
            logger.warning(
                "cannot renew leases; retrying", ["count": .integer(leases.count), "error": .error(error)])
        }
    }
}
