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
///
/// After an interruption (`checkAll`) all leases are renewed at once: the worker may have been considered dead
/// meanwhile, or a promoted standby may not know of the latest leases, and then others run the same jobs.
final class LeaseKeeper: Sendable {
    /// Interval of `checkClocks`: the resolution of deadlines and lease ends.
    static let interval = Duration.milliseconds(100)

    private let runner: AttemptRunner
    private let store: JobStore
    private let leaseDuration: Duration
    private let loop: Loop
    private let logger: Logger
    private let isRenewing = Atomic(false)
    /// When all leases are to be renewed; nil: each when it is due.
    private let checksAllAt = Mutex<MonotonicInstant?>(nil)
    private static let retryPause = Duration.seconds(1)

    init(runner: AttemptRunner, store: JobStore, leaseDuration: Duration, on loop: Loop, logger: Logger) {
        self.runner = runner
        self.store = store
        self.leaseDuration = leaseDuration
        self.loop = loop
        self.logger = logger
    }

    /// Renews all leases, because PostgreSQL may not have them any more.
    func checkAll() {
        checksAllAt.withLock { $0 = .now() }
    }

    /// Checks the clocks. Does not wait for the renewal that it starts, so that the next check is not late.
    func checkClocks() {
        let now = MonotonicInstant.now()
        let all = checksAllAt.withLock { $0.map { $0 <= now } ?? false }
        let due = runner.tick(now: now, renewingAll: all)
        guard !due.isEmpty || all, !isRenewing.exchange(true, ordering: .relaxed) else { return }
        if all { checksAllAt.withLock { $0 = nil } }
        loop.spawn { [self] in
            if !due.isEmpty, await !renew(due), all {
                checksAllAt.withLock { $0 = $0 ?? .now() + Self.retryPause }
            }
            isRenewing.store(false, ordering: .relaxed)
        }
    }

    /// - Returns: whether PostgreSQL has answered.
    private func renew(_ leases: [HeldLease]) async -> Bool {
        let sentAt = MonotonicInstant.now()
        do throws(PostgresError) {
            let held = try await store.renew(leases, leaseSeconds: leaseDuration.inSeconds)
            runner.applyRenewal(of: leases, held: held, sentAt: sentAt)
            return true
        } catch {
            logger.warning(
                "cannot renew leases; retrying", ["count": .integer(leases.count), "error": .error(error)])
            return false
        }
    }
}
