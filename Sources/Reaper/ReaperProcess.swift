internal import Jobs
internal import Pauses
internal import Pools
internal import Postgres
internal import Service
internal import Telemetry
internal import Workers

/// One reaper: its services.
///
/// A reaper owns nothing, and what it remembers only saves work: any number may run at once, and each may be killed at
/// any instant. So its drain only waits for the statements under way; a later run, of any reaper, does what is left.
final class ReaperProcess: Sendable {
    /// A statement that is cut off is rolled back.
    static let drain = DrainLimits(grace: .seconds(5))

    private let settings: ReaperSettings
    private let process: ProcessContext
    private let sessions: DatabaseSessions
    private let store: JobStore

    init(_ settings: ReaperSettings, in process: ProcessContext) {
        self.settings = settings
        self.process = process
        sessions = DatabaseSessions(
            settings.sessions, connections: settings.sessions.poolSize, hot: .reaping, on: process.loop)
        let notifier = ReadyNotifier(
            pool: sessions.notifying, schema: settings.sessions.schema, logger: process.logger)
        store = JobStore(
            hot: sessions.hot, general: sessions.general, subqueues: SubqueueDirectory(), notifier: notifier)
        process.status.needs { [process] in
            process.reachability.isInterrupted ? "PostgreSQL cannot be reached" : nil
        }
    }

    // MARK: Services

    /// Until a signal.
    var services: [any ProcessService] {
        process.statusFile(settings.statusFile) + [database, SchemaGate(sessions, in: process)] + tasks
    }

    /// Every task, until no more work is due at once.
    var servicesForOneRun: [any ProcessService] {
        [
            database,
            OneShot("once", in: process) { await self.runEveryTask() ? ExitStatus.success : ExitStatus.failure },
        ]
    }

    /// The watchdog, once.
    func services(for watchdog: WatchdogCommand) -> [any ProcessService] {
        [database, OneShot(WatchdogCommand.name, in: process) { try await self.run(watchdog) }]
    }

    private var database: DatabaseService {
        DatabaseService([sessions], settings.sessions.source, in: process)
    }

    /// The periodic tasks, those first whose results others need.
    private var tasks: [PeriodicService] {
        let logger = process.logger
        let registry = WorkerRegistry(pool: sessions.hot)
        let retention = settings.retention
        let activity = SharedActivity()
        let reclaimer = task(
            LeaseReclaimer(store: store, logger: logger), every: settings.reclaimInterval,
            pauseMin: LeaseReclaimer.pauseMin)
        var tasks = [
            task(
                PartitionKeeper(store: store, partitionDays: retention.partitionDays),
                every: PartitionKeeper.interval, pauseMin: PartitionKeeper.retryPause),
            task(
                TokenEpochKeeper(store: store, logger: logger), every: TokenEpochKeeper.interval,
                pauseMin: TokenEpochKeeper.pauseMin),
            task(
                ReaperHeartbeat(registry: registry), every: ReaperHeartbeat.interval,
                pauseMin: ReaperHeartbeat.pauseMin),
            task(
                DeadWorkerFinder(registry: registry, logger: logger, reclaimSoon: { reclaimer.runSoon() }),
                every: DeadWorkerFinder.interval, pauseMin: DeadWorkerFinder.pauseMin),
            reclaimer,
            task(JobPromoter(store: store), every: settings.promoteInterval, pauseMin: JobPromoter.pauseMin),
            task(
                PauseEnder(pauses: PauseStore(pool: sessions.general)), every: PauseEnder.interval,
                pauseMin: PauseEnder.pauseMin),
            task(
                PoolRebalancer(pools: PoolStore(pool: sessions.hot), logger: logger), every: PoolRebalancer.interval,
                pauseMin: PoolRebalancer.pauseMin),
            task(
                TransitionRollup(store: store, activity: activity), every: TransitionRollup.interval,
                pauseMin: TransitionRollup.pauseMin),
            task(
                LowWaterMarkAdvancer(store: store, activity: activity), every: LowWaterMarkAdvancer.interval,
                pauseMin: LowWaterMarkAdvancer.busyInterval),
            task(
                WorkerPruner(registry: registry, policy: retention), every: WorkerPruner.interval,
                pauseMin: WorkerPruner.pauseMin),
            task(
                IdempotencyKeyPruner(store: store), every: IdempotencyKeyPruner.interval,
                pauseMin: IdempotencyKeyPruner.pauseMin),
            task(
                RetentionCleaner(store: store, policy: retention), every: settings.retentionInterval,
                pauseMin: RetentionCleaner.pauseMin),
            task(
                SubqueueRetirement(store: store), every: SubqueueRetirement.interval,
                pauseMin: SubqueueRetirement.pauseMin),
        ]
        if let interval = settings.watchdogInterval {
            let watchdog = WatchdogTask(store: store, order: settings.watchdog, logger: logger)
            tasks.append(task(watchdog, every: interval, pauseMin: WatchdogTask.pauseMin))
        }
        return tasks
    }

    private func task(
        _ work: some PeriodicTask, every interval: Duration, pauseMin: Duration
    ) -> PeriodicService {
        PeriodicService(work, every: interval, pauseMin: pauseMin, in: process, countsLevel: .info)
    }

    // MARK: Commands

    /// Whether every task succeeded.
    private func runEveryTask() async -> Bool {
        guard await hasSchema() else { return false }
        var haveSucceeded = true
        for task in tasks where await !task.finish() { haveSucceeded = false }
        return haveSucceeded
    }

    private func run(_ watchdog: WatchdogCommand) async throws -> Int32 {
        guard await hasSchema() else { return ExitStatus.failure }
        try await watchdog.run(on: store)
        return ExitStatus.success
    }

    private func hasSchema() async -> Bool {
        guard let obstacle = await SchemaGate(sessions, in: process).obstacle() else { return true }
        process.logger.error("the schema cannot be used", ["reason": .string(obstacle)])
        return false
    }
}

extension SessionProfile {
    /// Hot, without waiting for the disk: a later run repeats what a crash of PostgreSQL undoes of a reaper's work.
    fileprivate static let reaping = SessionProfile(
        parameters: SessionProfile.hot.parameters + [("synchronous_commit", "off")])
}
