internal import Configuration
internal import EventLoop
internal import Pools
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values

/// The part of a worker that is a member of a pool: it takes the ordinal, runs what is assigned to it and nobody else
/// holds, gives back what is another's as soon as it has stopped, and leaves.
///
/// One task (`run`) talks to PostgreSQL, one statement after the other, when it is notified and as often as leases must be
/// renewed. Another (`checkClocks`) looks at the clocks ten times a second, also while a statement does not return: a
/// workload whose lease could not be renewed is stopped before another member may run it.
final class PoolMember: Sendable {
    /// Between two checks of the clocks.
    static let clockInterval = Duration.milliseconds(100)
    /// After an error; a lease allows for some of them.
    private static let retryPause = Duration.seconds(1)
    /// For what the member leaves behind: a process that even SIGKILL does not end, a PostgreSQL that does not answer.
    private static let settlingTime = Duration.seconds(5)
    /// Beside the instant at which somebody's lease ends, so that it has ended.
    private static let expiryMargin = Duration.milliseconds(10)

    fileprivate struct State {
        var tracker = WorkloadTracker()
        var runs: [WorkloadLease: WorkloadRun] = [:]
        var membership: Membership?
        var handler = ""
        var isLeaving = false
        /// When it leaves whatever is left: that is free when its leases have expired.
        var giveUpAt = MonotonicInstant.distantFuture
    }

    private let settings: PoolSettings
    private let candidate: PoolCandidate
    private let store: PoolStore
    private let handlers: @Sendable () -> HandlerTable
    private let reporter: WorkloadReporter
    private let restarts: Counter
    /// No workload has longer to stop when the worker does.
    private let shutdownGrace: Duration
    private let loop: Loop
    private let logger: Logger
    private let wakeSignal: WakeSignal
    private let state = Mutex(State())
    /// Whom it waits for, and why it does not: told when it changes.
    private let told = Mutex<String?>(nil)
    /// What the copy of `config.yml` holds; and whether the last attempt to write it has failed.
    private let copied = Mutex<(lists: [MemberList]?, hasFailed: Bool)>((nil, false))

    init(
        _ settings: PoolSettings, incarnation: UUID, store: PoolStore, handlers: @escaping @Sendable () -> HandlerTable,
        shutdownGrace: Duration, metrics: MetricRegistry, on loop: Loop, logger: Logger
    ) {
        self.settings = settings
        candidate = PoolCandidate(
            pool: settings.pool, ordinal: settings.ordinal, incarnation: incarnation, name: settings.memberName,
            host: settings.host)
        self.store = store
        self.handlers = handlers
        self.shutdownGrace = shutdownGrace
        self.loop = loop
        self.logger = logger.with(["pool": .string(settings.pool), "ordinal": .integer(settings.ordinal)])
        reporter = WorkloadReporter(store: store, on: loop, logger: self.logger)
        restarts = metrics.counters(WorkloadMetrics.restarts).with(settings.pool)
        wakeSignal = WakeSignal(on: loop)
    }

    /// Pools of these names were changed. Call it on the loop.
    func notified(of pools: some Sequence<Substring>) {
        if pools.contains(where: { $0 == settings.pool }) { lookAgain() }
    }

    /// Notifications may have been missed. Call it on the loop.
    func lookAgain() {
        wakeSignal.wake()
    }

    /// Stops the workloads, gives each back as soon as it has stopped, and gives the ordinal back: `run` returns then.
    func leave() {
        let runs = state.withLock { state in
            state.isLeaving = true
            return state.stopping(state.tracker.leave())
        }
        let graces = runs.map { min($0.grace, shutdownGrace) }
        for (run, grace) in zip(runs.map(\.run), graces) { run.stop(within: grace) }
        state.withLock { $0.giveUpAt = .now() + (graces.max() ?? .zero) + Self.settlingTime }
        wakeSignal.wake()
    }

    // MARK: Life

    /// Until it has left.
    func run() async {
        var hasSaidSo = false
        while true {
            let (membership, isLeaving, giveUpAt) = state.withLock { ($0.membership, $0.isLeaving, $0.giveUpAt) }
            var pause: Duration
            do throws(PostgresError) {
                if let membership {
                    if isLeaving, !hasSaidSo {
                        try await store.leave(membership)
                        hasSaidSo = true
                    }
                    try await release(membership)
                    if isLeaving, state.withLock({ $0.tracker.isEmpty }) {
                        try await store.deregister(membership)
                        logger.info("left the pool")
                        break
                    }
                    pause = try await look(membership)
                } else {
                    if isLeaving { break }
                    pause = try await join()
                }
            } catch {
                tell(.warning, "the pool cannot be reached", ["error": .error(error)])
                pause = Self.retryPause
            }
            guard .now() < giveUpAt else {
                logger.error("left the pool without giving everything back: the leases will expire")
                break
            }
            await wakeSignal.wait(until: min(giveUpAt, .now() + pause))
        }
    }

    /// The pause before the next attempt; zero when it is a member.
    private func join() async throws(PostgresError) -> Duration {
        let usual = settings.pollInterval * Double.random(in: 0.9...1.1)
        switch try await store.join(candidate, leaseSeconds: settings.leaseDuration.inSeconds) {
        case .joined(let membership):
            state.withLock { $0.membership = membership }
            told.withLock { $0 = nil }
            logger.info("joined the pool", ["member": .string(candidate.name)])
            return .zero
        case .taken(let other, let host, let remaining):
            // Its lease may be renewed. If it is not, the ordinal is free right then.
            tell(
                .warning, "another worker has this ordinal: waiting for it to leave",
                ["incarnation": .text(other), "host": .string(host)])
            return max(.zero, min(usual, remaining + Self.expiryMargin))
        case .noSuchPool:
            tell(.warning, "there is no such pool: waiting for it to be made")
            return usual
        }
    }

    /// Renews, and does what is to be done. The pause before the next look.
    private func look(_ membership: Membership) async throws(PostgresError) -> Duration {
        let asked = state.withLock { $0.tracker.leases }
        let sentAt = MonotonicInstant.now()
        let view = try await store.renew(
            membership, asked, leaseSeconds: settings.leaseDuration.inSeconds,
            timeout: settings.leaseDuration / LeaseClock.renewalPart)
        let (steps, mustRenew) = state.withLock { state in
            let before = state.handler
            state.handler = view.handler
            return (
                state.tracker.see(view, asked: asked, sentAt: sentAt),
                view.isMember && !before.isEmpty && before != view.handler
            )
        }
        perform(steps)
        limitRuns()
        if mustRenew { renewAll() }
        if !steps.strays.isEmpty { try await store.release(steps.strays, ofPool: membership.poolID) }
        guard view.isMember else { return lost(membership) }
        told.withLock { $0 = nil }
        if !steps.acquire.isEmpty { try await acquire(steps.acquire, membership) }
        try await writeConfig()
        let regular = min(settings.pollInterval, settings.leaseDuration / LeaseClock.renewalPart)
        return min(regular * Double.random(in: 0.9...1), (steps.nextFree ?? regular) + Self.expiryMargin)
    }

    /// The ordinal is another's, or the pool is gone: it joins again when nothing runs any more.
    private func lost(_ membership: Membership) -> Duration {
        let isOver = state.withLock { state in
            guard state.tracker.isEmpty, !state.isLeaving else { return false }
            state.membership = nil
            state.handler = ""
            return true
        }
        tell(.warning, "no member of the pool any more: its workloads stop")
        return isOver ? .zero : Self.retryPause
    }

    // MARK: Workloads

    private func acquire(_ names: [String], _ membership: Membership) async throws(PostgresError) {
        let sentAt = MonotonicInstant.now()
        let leases = try await store.acquire(
            names, as: membership, leaseSeconds: settings.leaseDuration.inSeconds)
        let grace = command()?.killGrace ?? ExecLimits.killGraceStandard
        let started = state.withLock { state in
            let granted = state.tracker.granted(
                leases, sentAt: sentAt, duration: settings.leaseDuration, grace: grace)
            return granted.map { lease in
                let run = WorkloadRun(dependencies(of: lease, membership), on: loop)
                state.runs[lease] = run
                return (lease, run)
            }
        }
        limitRuns()
        for (lease, run) in started {
            logger.info("a workload begins here", fields(of: lease))
            loop.spawn { [self] in
                await run.run()
                ended(lease)
            }
        }
        // One that was asked for and not given is another's by now, or held: the next look tells.
        if leases.count < names.count { logger.debug("some workloads are not free yet") }
    }

    private func command() -> ExecCommand? {
        handlers().command(for: state.withLock { $0.handler })
    }

    private func dependencies(of lease: WorkloadLease, _ membership: Membership) -> WorkloadRun.Dependencies {
        WorkloadRun.Dependencies(
            command: { [self] in
                if let command = command() { return .success(command) }
                let name = state.withLock { $0.handler }
                return .failure(.init(reason: "this worker's handlers file has no program with the name \(name)"))
            },
            mayStart: { [self] in state.withLock { $0.tracker.mayStart(lease, at: .now()) } },
            report: { [self] report in
                if report.isRunning, report.restarts > 0 { restarts.add(1) }
                if let error = report.error {
                    logger.warning(
                        "a workload has ended, and is started again",
                        fields(of: lease).merged(with: ["error": .string(error)]))
                }
                reporter.report(report, of: lease, inPool: membership.poolID)
            },
            hear: { [self] line in
                logger.info("a workload says", fields(of: lease).merged(with: ["line": .string(line)]))
            },
            variables: [
                "JOBQUEUE_POOL": settings.pool, "JOBQUEUE_WORKLOAD": lease.name,
                "JOBQUEUE_LEASE_TOKEN": "\(lease.token)", "JOBQUEUE_ORDINAL": "\(settings.ordinal)",
                "JOBQUEUE_MEMBER": candidate.name,
            ])
    }

    private func ended(_ lease: WorkloadLease) {
        state.withLock { state in
            state.runs[lease] = nil
            state.tracker.ended(lease)
        }
        logger.info("a workload has stopped here", fields(of: lease))
        wakeSignal.wake()
    }

    private func release(_ membership: Membership) async throws(PostgresError) {
        let leases = state.withLock { $0.tracker.ended }
        guard !leases.isEmpty else { return }
        reporter.forget(leases)
        try await store.release(leases, ofPool: membership.poolID)
        state.withLock { $0.tracker.released(leases) }
    }

    private func perform(_ steps: WorkloadTracker.Steps) {
        let (stops, kills) = state.withLock { ($0.stopping(steps.stop), $0.stopping(steps.kill)) }
        for (run, grace) in stops { run.stop(within: grace) }
        for (run, _) in kills { run.stop(within: .zero) }
        if !kills.isEmpty {
            logger.warning(
                "the leases of workloads are over: they were killed",
                ["workloads": .string(steps.kill.joined(separator: " "))])
        }
    }

    /// Another handler runs them from now on.
    private func renewAll() {
        let runs = state.withLock { state in state.stopping(Array(state.tracker.held.keys)) }
        for (run, grace) in runs { run.renew(within: grace) }
    }

    /// Tells the guard how long each may go on without this worker.
    private func limitRuns() {
        let limits = state.withLock { state in
            state.tracker.held.values.compactMap { workload in
                state.runs[workload.lease].map { (run: $0, guardAt: workload.guardAt) }
            }
        }
        for limit in limits { limit.run.limit(to: limit.guardAt) }
    }

    /// Stops the workloads whose leases could not be renewed in time. Call it every `clockInterval`.
    func checkClocks() {
        let steps = state.withLock { $0.tracker.due(at: .now()) }
        if steps != WorkloadTracker.Steps() { perform(steps) }
    }

    private func fields(of lease: WorkloadLease) -> LogFields {
        ["workload": .string(lease.name), "lease_token": .integer(lease.token)]
    }

    // MARK: What others see

    /// What could not be written is tried again with the next look, and told once.
    private func writeConfig() async throws(PostgresError) {
        guard let path = settings.configPath else { return }
        let lists = try await store.lists(of: settings.pool)
        let before = copied.withLock { $0 }
        guard lists != before.lists else { return }
        do throws(SmallFileError) {
            try SmallFile.replace(path, with: Array(PoolConfig.yaml(lists).utf8), isDurable: true)
            copied.withLock { $0 = (lists, false) }
        } catch {
            logger.log(
                before.hasFailed ? .debug : .error, "the copy of config.yml cannot be written",
                ["error": .error(error)])
            copied.withLock { $0.hasFailed = true }
        }
    }

    /// What lasts is told once.
    private func tell(_ level: LogLevel, _ message: String, _ fields: LogFields = LogFields()) {
        let isNew = told.withLock { told in
            defer { told = message }
            return told != message
        }
        logger.log(isNew ? level : .debug, message, fields)
    }
}

extension PoolMember.State {
    fileprivate func stopping(_ names: [String]) -> [(run: WorkloadRun, grace: Duration)] {
        names.compactMap { name in
            guard let workload = tracker.held[name], let run = runs[workload.lease] else { return nil }
            return (run, workload.grace)
        }
    }
}
