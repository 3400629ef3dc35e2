internal import Configuration
internal import EventLoop
internal import Pools
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values

/// The member of a pool in a worker: it joins with its ordinal, runs the workloads that are assigned to it and free,
/// releases those of other members when they have stopped, and leaves.
///
/// The states of a membership:
/// - *joining*: no membership. Another incarnation has the ordinal, or the pool does not exist. It retries at the poll
///   interval, and when the membership of the other ends. Next: *member*, or the end after `leave`.
/// - *member*: each cycle renews the membership and the leases in one round trip, and performs the actions of
///   `WorkloadTracker`. Next: *leaving* after `leave`; *lost* when the renewal finds another incarnation or no pool.
/// - *lost*: it acquires nothing, and its workloads stop. Next: *joining* when none runs any more.
/// - *leaving*: it acquires nothing, and its workloads stop. Next: the end, when all leases are released and the
///   ordinal is free, or at `giveUpAt`: the remaining leases then expire.
///
/// One task (`run`) sends all statements, one after the other: after a notification, and as often as leases must be
/// renewed. Another (`checkClocks`) checks the clocks ten times a second, also while a statement does not return.
/// PostgreSQL's clock decides when a lease expires; `WorkloadTracker` describes how this machine's clock stays ahead of
/// it. After a failed statement the next cycle starts in a second, and a lease allows for several of them.
final class PoolMember: Sendable {
    /// Interval of `checkClocks`: the resolution of lease ends.
    static let clockInterval = Duration.milliseconds(100)
    /// Pause after a failed statement.
    private static let retryPause = Duration.seconds(1)
    /// Time to release the remaining leases after the longest grace: for a process that SIGKILL does not end, and for a
    /// PostgreSQL that does not answer.
    private static let releaseTimeout = Duration.seconds(5)
    /// Added to the remaining time of another holder's lease, so that the lease is over at the next attempt.
    private static let expiryMargin = Duration.milliseconds(10)

    fileprivate struct State {
        var tracker = WorkloadTracker()
        var runs: [WorkloadLease: WorkloadRun] = [:]
        /// nil while joining.
        var membership: Membership?
        /// The name of the pool's handler, as of the last renewal.
        var handler = ""
        var isLeaving = false
        /// The instant at which a leaving member ends, with or without having released everything.
        var giveUpAt = MonotonicInstant.distantFuture
    }

    private let settings: PoolSettings
    private let candidate: PoolCandidate
    private let ended: @Sendable () -> [UUID]
    private let store: PoolStore
    private let handlers: @Sendable () -> HandlerTable
    private let reporter: WorkloadReporter
    private let restarts: Counter
    /// The longest grace of a workload when the worker stops.
    private let shutdownGrace: Duration
    private let loop: Loop
    private let logger: Logger
    private let wakeSignal: WakeSignal
    private let state = Mutex(State())
    /// The last message of `logOnChange`; nil since the member works.
    private let lastMessage = Mutex<String?>(nil)
    /// The content of the copy of `config.yml`, and whether the last attempt to write it failed.
    private let configCopy = Mutex<(lists: [MemberList]?, hasFailed: Bool)>((nil, false))

    /// - Parameter ended: incarnations that have ended, with all programs that they ran.
    init(
        _ settings: PoolSettings, incarnation: UUID, ended: @escaping @Sendable () -> [UUID], store: PoolStore,
        handlers: @escaping @Sendable () -> HandlerTable, shutdownGrace: Duration, metrics: MetricRegistry,
        on loop: Loop, logger: Logger
    ) {
        self.settings = settings
        candidate = PoolCandidate(
            pool: settings.pool, ordinal: settings.ordinal, incarnation: incarnation, name: settings.memberName,
            host: settings.host)
        self.ended = ended
        self.store = store
        self.handlers = handlers
        self.shutdownGrace = shutdownGrace
        self.loop = loop
        self.logger = logger.with(["pool": .string(settings.pool), "ordinal": .integer(settings.ordinal)])
        reporter = WorkloadReporter(store: store, on: loop, logger: self.logger)
        restarts = metrics.counters(WorkloadMetrics.restarts).with(settings.pool)
        wakeSignal = WakeSignal(on: loop)
    }

    /// The pools with these names have changed. Call it on the loop.
    func notified(of pools: some Sequence<Substring>) {
        if pools.contains(where: { $0 == settings.pool }) { renewNow() }
    }

    /// Starts the next cycle at once: notifications may have been missed. Call it on the loop.
    func renewNow() {
        wakeSignal.wake()
    }

    /// Leaves the pool: stops the workloads, releases each when it has stopped, then releases the ordinal. `run`
    /// returns after that.
    func leave() {
        let runs = state.withLock { state in
            state.isLeaving = true
            return state.runs(of: state.tracker.leave())
        }
        let graces = runs.map { min($0.grace, shutdownGrace) }
        for (run, grace) in zip(runs.map(\.run), graces) { run.stop(within: grace) }
        state.withLock { $0.giveUpAt = .now() + (graces.max() ?? .zero) + Self.releaseTimeout }
        wakeSignal.wake()
    }

    // MARK: Membership

    /// Runs until the member has left the pool.
    func run() async {
        var isMarkedLeaving = false
        while true {
            let (membership, isLeaving, giveUpAt) = state.withLock { ($0.membership, $0.isLeaving, $0.giveUpAt) }
            var pause: Duration
            do throws(PostgresError) {
                if let membership {
                    if isLeaving, !isMarkedLeaving {
                        try await store.leave(membership)
                        isMarkedLeaving = true
                    }
                    try await release(membership)
                    if isLeaving, state.withLock({ $0.tracker.isEmpty }) {
                        try await store.deregister(membership)
                        logger.info("left the pool")
                        break
                    }
                    pause = try await renew(membership)
                } else {
                    if isLeaving { break }
                    pause = try await join()
                }
            } catch {
                logOnChange(.warning, "cannot reach PostgreSQL for the pool; retrying", ["error": .error(error)])
                pause = Self.retryPause
            }
            guard .now() < giveUpAt else {
                logger.error("left the pool before every lease was released; the remaining leases will expire")
                break
            }
            await wakeSignal.wait(until: min(giveUpAt, .now() + pause))
        }
    }

    /// Tries to join.
    /// - Returns: the pause before the next cycle; zero after joining.
    private func join() async throws(PostgresError) -> Duration {
        let pollPause = settings.pollInterval * Double.random(in: 0.9...1.1)
        let ended = ended()
        if !ended.isEmpty { try await store.releaseEnded(ended, ofPool: settings.pool) }
        switch try await store.join(candidate, ended: ended, leaseSeconds: settings.leaseDuration.inSeconds) {
        case .joined(let membership):
            state.withLock { $0.membership = membership }
            lastMessage.withLock { $0 = nil }
            logger.info("joined the pool", ["member": .string(candidate.name)])
            return .zero
        case .taken(let other, let host, let remaining):
            // Without a renewal the ordinal is free when the remaining time is over.
            logOnChange(
                .warning, "another worker has this ordinal; waiting for it to leave",
                ["incarnation": .text(other), "host": .string(host)])
            return max(.zero, min(pollPause, remaining + Self.expiryMargin))
        case .noSuchPool:
            logOnChange(.warning, "the pool does not exist; waiting for it to be created")
            return pollPause
        }
    }

    /// Renews the membership and the leases, and performs the actions that follow.
    /// - Returns: the pause before the next cycle.
    private func renew(_ membership: Membership) async throws(PostgresError) -> Duration {
        let requested = state.withLock { $0.tracker.activeLeases }
        let sentAt = MonotonicInstant.now()
        let renewal = try await store.renew(
            membership, requested, leaseSeconds: settings.leaseDuration.inSeconds,
            nextSeconds: (renewalInterval * 1.5).inSeconds + 2, timeout: settings.leaseDuration / LeaseClock.renewalPart
        )
        let (actions, hasNewHandler) = state.withLock { state in
            let before = state.handler
            state.handler = renewal.handler
            return (
                state.tracker.apply(renewal: renewal, of: requested, sentAt: sentAt),
                renewal.isMember && !before.isEmpty && before != renewal.handler
            )
        }
        perform(actions)
        limitRuns()
        if hasNewHandler { restartAll() }
        if !actions.release.isEmpty { try await store.release(actions.release, ofPool: membership.poolID) }
        guard renewal.isMember else { return membershipLost() }
        lastMessage.withLock { $0 = nil }
        let hasAll = actions.acquire.isEmpty ? true : try await acquire(actions.acquire, membership)
        try await writeConfig()
        var regular = renewalInterval
        if !hasAll { regular = min(regular, Self.retryPause) }
        return min(regular * Double.random(in: 0.9...1), (actions.nextFree ?? regular) + Self.expiryMargin)
    }

    private var renewalInterval: Duration {
        min(settings.pollInterval, settings.leaseDuration / LeaseClock.renewalPart)
    }

    /// Another incarnation has the ordinal, or the pool is removed. The member joins again when nothing runs any more.
    /// - Returns: the pause before the next cycle.
    private func membershipLost() -> Duration {
        let canJoin = state.withLock { state in
            guard state.tracker.isEmpty, !state.isLeaving else { return false }
            state.membership = nil
            state.handler = ""
            return true
        }
        logOnChange(.warning, "lost the membership of the pool; stopping its workloads")
        return canJoin ? .zero : Self.retryPause
    }

    // MARK: Workloads

    /// - Returns: whether all of them were acquired.
    private func acquire(_ names: [String], _ membership: Membership) async throws(PostgresError) -> Bool {
        let sentAt = MonotonicInstant.now()
        let leases = try await store.acquire(
            names, as: membership, leaseSeconds: settings.leaseDuration.inSeconds)
        let grace = command()?.killGrace ?? ExecLimits.killGraceStandard
        let started = state.withLock { state in
            let granted = state.tracker.add(
                leases, sentAt: sentAt, duration: settings.leaseDuration, grace: grace)
            return granted.map { lease in
                let run = WorkloadRun(dependencies(of: lease, membership), on: loop)
                state.runs[lease] = run
                return (lease, run)
            }
        }
        limitRuns()
        for (lease, run) in started {
            logger.info("workload starting", fields(of: lease))
            loop.spawn { [self] in
                await run.run()
                ended(lease)
            }
        }
        // The others have a new owner, are still held, or were locked at this instant: the next renewal has the reason.
        if leases.count < names.count { logger.debug("some assigned workloads are not free yet; retrying") }
        return leases.count == names.count
    }

    private func command() -> ExecCommand? {
        handlers().command(for: state.withLock { $0.handler })
    }

    private func dependencies(of lease: WorkloadLease, _ membership: Membership) -> WorkloadRun.Dependencies {
        WorkloadRun.Dependencies(
            command: { [self] in
                if let command = command() { return .success(command) }
                let name = state.withLock { $0.handler }
                return .failure(.init(reason: "the handlers file of this worker has no program named \(name)"))
            },
            mayStart: { [self] in state.withLock { $0.tracker.mayStart(lease, at: .now()) } },
            report: { [self] report in
                if report.isRunning, report.restarts > 0 { restarts.add(1) }
                if let error = report.error {
                    logger.warning(
                        "workload process ended; restarting it after a pause",
                        fields(of: lease).merged(with: ["error": .string(error)]))
                }
                reporter.report(report, of: lease, inPool: membership.poolID)
            },
            errorLine: { [self] line in
                logger.info("workload output", fields(of: lease).merged(with: ["line": .string(line)]))
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
            state.tracker.processEnded(lease)
        }
        logger.info("workload stopped", fields(of: lease))
        wakeSignal.wake()
    }

    private func release(_ membership: Membership) async throws(PostgresError) {
        let leases = state.withLock { $0.tracker.endedLeases }
        guard !leases.isEmpty else { return }
        reporter.drop(leases)
        try await store.release(leases, ofPool: membership.poolID)
        state.withLock { $0.tracker.remove(leases) }
    }

    /// Performs the actions `stop` and `kill`.
    private func perform(_ actions: WorkloadTracker.Actions) {
        let (stops, kills) = state.withLock { ($0.runs(of: actions.stop), $0.runs(of: actions.kill)) }
        for (run, grace) in stops { run.stop(within: grace) }
        for (run, _) in kills { run.stop(within: .zero) }
        if !kills.isEmpty {
            logger.warning(
                "workload leases lost; killed the processes",
                ["workloads": .string(actions.kill.joined(separator: " "))])
        }
    }

    /// Restarts every process with the new handler of the pool.
    private func restartAll() {
        let runs = state.withLock { state in state.runs(of: Array(state.tracker.held.keys)) }
        for (run, grace) in runs { run.restart(within: grace) }
    }

    /// Gives the process guard the instant at which it kills each process without this worker.
    private func limitRuns() {
        let limits = state.withLock { state in
            state.tracker.held.values.compactMap { workload in
                state.runs[workload.lease].map { (run: $0, guardKillAt: workload.guardKillAt) }
            }
        }
        for limit in limits { limit.run.limit(to: limit.guardKillAt) }
    }

    /// Stops the workloads whose leases could not be renewed in time. Call it every `clockInterval`.
    func checkClocks() {
        let actions = state.withLock { $0.tracker.due(at: .now()) }
        if actions != WorkloadTracker.Actions() { perform(actions) }
    }

    private func fields(of lease: WorkloadLease) -> LogFields {
        ["workload": .string(lease.name), "lease_token": .integer(lease.token)]
    }

    // MARK: Config file and log

    /// Writes the copy of `config.yml` if it has changed. A failure is logged once, and retried with the next renewal.
    private func writeConfig() async throws(PostgresError) {
        guard let path = settings.configPath else { return }
        let lists = try await store.lists(of: settings.pool)
        let before = configCopy.withLock { $0 }
        guard lists != before.lists else { return }
        do throws(SmallFileError) {
            try SmallFile.replace(path, with: Array(PoolConfig.yaml(lists).utf8), isDurable: true)
            configCopy.withLock { $0 = (lists, false) }
        } catch {
            logger.log(
                before.hasFailed ? .debug : .error, "cannot write the copy of config.yml; retrying",
                ["error": .error(error)])
            configCopy.withLock { $0.hasFailed = true }
        }
    }

    /// Logs a message that repeats with each cycle: at `level` when it is new, then at debug level.
    private func logOnChange(_ level: LogLevel, _ message: String, _ fields: LogFields = LogFields()) {
        let isNew = lastMessage.withLock { last in
            defer { last = message }
            return last != message
        }
        logger.log(isNew ? level : .debug, message, fields)
    }
}

extension PoolMember.State {
    /// The runs of these workloads, with the grace of each.
    fileprivate func runs(of names: [String]) -> [(run: WorkloadRun, grace: Duration)] {
        names.compactMap { name in
            guard let workload = tracker.held[name], let run = runs[workload.lease] else { return nil }
            return (run, workload.grace)
        }
    }
}
