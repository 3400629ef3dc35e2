internal import EventLoop
internal import Jobs
internal import Pauses
internal import Pools
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values
internal import Workers

/// One reaper: its tasks, and its way from start to stop. Everything runs on one loop.
///
/// A reaper owns nothing and remembers nothing that matters: any number may run at once, and each may be killed at any
/// instant. So it stops without ceremony, after the statements that are under way.
final class ReaperProcess: Sendable {
    /// How long a stop waits for statements under way. What is cut off is rolled back, and found again.
    private static let stopPatience = Duration.seconds(5)
    /// Between two looks for the schema.
    private static let schemaPause = Duration.seconds(1)

    private let settings: ReaperSettings
    private let pools: ReaperPools
    private let reachability: Reachability
    private let loop: Loop
    private let logger: Logger
    /// Woken by signals, and by the end of the last task.
    private let stopSignal: WakeSignal
    private let isFailed = Atomic(false)
    private let state = Mutex(ServiceState.waiting("starting"))

    init(_ settings: ReaperSettings, on loop: Loop, logger: Logger) throws(DatabaseSettings.InvalidURL) {
        self.settings = settings
        self.loop = loop
        self.logger = logger
        pools = try ReaperPools(settings, on: loop, logger: logger)
        reachability = Reachability(logger: logger)
        stopSignal = WakeSignal(on: loop)
    }

    /// Whether `runOnce` could not begin, or has left a task undone.
    var hasFailed: Bool { isFailed.load(ordering: .relaxed) }

    /// Asks the reaper to stop; a second time, to wait for nothing. Call it on the loop.
    func stop() {
        stopSignal.wake()
    }

    /// A task, and how often it is done.
    private struct ScheduledTask {
        let task: any PeriodicTask
        let interval: Duration
        /// Between two runs where the task asks for them sooner.
        let pauseMin: Duration
    }

    private func scheduledTasks() -> [ScheduledTask] {
        let store = pools.store
        let activity = SharedActivity()
        var scheduledTasks = [
            ScheduledTask(
                task: PartitionKeeper(store: store, partitionDays: settings.retention.partitionDays),
                interval: PartitionKeeper.interval, pauseMin: PartitionKeeper.retryPause),
            ScheduledTask(
                task: LeaseReclaimer(store: store, logger: logger), interval: settings.reclaimInterval,
                pauseMin: LeaseReclaimer.pauseMin),
            ScheduledTask(
                task: JobPromoter(store: store), interval: settings.promoteInterval, pauseMin: JobPromoter.pauseMin),
            ScheduledTask(
                task: PauseEnder(control: PauseStore(pool: pools.general)), interval: PauseEnder.interval,
                pauseMin: PauseEnder.pauseMin),
            ScheduledTask(
                task: PoolRebalancer(pools: pools.workloads, logger: logger), interval: PoolRebalancer.interval,
                pauseMin: PoolRebalancer.pauseMin),
            ScheduledTask(
                task: TransitionRollup(store: store, activity: activity), interval: TransitionRollup.interval,
                pauseMin: TransitionRollup.pauseMin),
            ScheduledTask(
                task: LowWaterMarkAdvancer(store: store, activity: activity), interval: LowWaterMarkAdvancer.interval,
                pauseMin: LowWaterMarkAdvancer.busyInterval),
            ScheduledTask(
                task: WorkerPruner(registry: pools.registry, policy: settings.retention, logger: logger),
                interval: WorkerPruner.interval, pauseMin: WorkerPruner.pauseMin),
            ScheduledTask(
                task: ReaperHeartbeat(registry: pools.registry), interval: ReaperHeartbeat.interval,
                pauseMin: ReaperHeartbeat.pauseMin),
            ScheduledTask(
                task: IdempotencyKeyPruner(store: store), interval: IdempotencyKeyPruner.interval,
                pauseMin: IdempotencyKeyPruner.pauseMin),
            ScheduledTask(
                task: RetentionCleaner(store: store, policy: settings.retention),
                interval: settings.retentionInterval, pauseMin: RetentionCleaner.pauseMin),
        ]
        if let interval = settings.watchdogInterval {
            let sweep = WatchdogTask(store: store, order: settings.watchdog, logger: logger)
            scheduledTasks.append(ScheduledTask(task: sweep, interval: interval, pauseMin: WatchdogTask.pauseMin))
        }
        return scheduledTasks
    }

    private func ticker<Work: PeriodicTask>(_ work: Work, _ scheduledTask: ScheduledTask) -> Ticker<Work> {
        Ticker(
            work, every: scheduledTask.interval, pauseMin: scheduledTask.pauseMin, on: loop, reachability: reachability,
            logger: logger)
    }

    // MARK: Until it is stopped

    func run() async {
        let status = loop.spawn { await self.keepStatus() }
        defer { status.cancel() }
        guard await waitForSchema() else { return }
        became(.working)
        logger.info("reaping", ["version": .string(ProductVersion.text)])
        var running = scheduledTasks().map { start($0.task, $0) }
        running.append(loop.spawn { await self.pools.watchCredentials() })

        await stopSignal.wait()
        became(.stopping)
        logger.info("stopping after the statements under way")
        for task in running { task.cancel() }
        await waitForEnd(of: running)
        pools.close()
        logger.info("stopped")
    }

    private func became(_ state: ServiceState) {
        self.state.withLock { $0 = state }
    }

    /// For the probes, while it serves.
    private func keepStatus() async {
        guard let file = settings.statusFile else { return }
        await file.keep(on: loop) { [self] in
            let state = state.withLock { $0 }
            return state == .working && reachability.isInterrupted ? .waiting("PostgreSQL cannot be reached") : state
        } failed: { [logger] error in
            logger.error("the status file cannot be written", ["error": .error(error)])
        }
    }

    private func start(_ work: some PeriodicTask, _ scheduledTask: ScheduledTask) -> Task<Void, Never> {
        let ticker = ticker(work, scheduledTask)
        return loop.spawn {
            var ticker = ticker
            await ticker.run()
        }
    }

    /// Until patience ends, or another signal comes.
    private func waitForEnd(of tasks: [Task<Void, Never>]) async {
        let stopSignal = stopSignal
        loop.spawn {
            for task in tasks { await task.value }
            stopSignal.wake()
        }
        await stopSignal.wait(until: .now() + Self.stopPatience)
    }

    // MARK: Once

    /// Does every task until there is nothing left of it, or it fails, or the reaper is stopped.
    func runOnce() async {
        await runToEnd { await self.doEveryTask() }
    }

    /// Runs the watchdog once.
    func run(_ watchdog: WatchdogCommand) async {
        await runToEnd { await self.perform(watchdog) }
    }

    private func perform(_ watchdog: WatchdogCommand) async {
        if let obstacle = await schemaObstacle() {
            isFailed.store(true, ordering: .relaxed)
            return logger.error("the schema is not as it should be", ["reason": .string(obstacle)])
        }
        do throws(PostgresError) {
            try await watchdog.run(on: pools.store)
        } catch {
            isFailed.store(true, ordering: .relaxed)
            logger.error("the run failed", ["task": .string(WatchdogTask.name), "error": .error(error)])
        }
    }

    private func runToEnd(_ body: @escaping @Sendable () async -> Void) async {
        let work = loop.spawn { [self] in
            await body()
            stopSignal.wake()
        }
        await stopSignal.wait()
        work.cancel()
        await waitForEnd(of: [work])
        pools.close()
    }

    private func doEveryTask() async {
        if let obstacle = await schemaObstacle() {
            isFailed.store(true, ordering: .relaxed)
            return logger.error("the schema is not as it should be", ["reason": .string(obstacle)])
        }
        for scheduledTask in scheduledTasks() {
            if await !finish(scheduledTask.task, scheduledTask) { isFailed.store(true, ordering: .relaxed) }
        }
    }

    private func finish(_ work: some PeriodicTask, _ scheduledTask: ScheduledTask) async -> Bool {
        var ticker = ticker(work, scheduledTask)
        return await ticker.finish()
    }

    // MARK: The schema

    /// False when it was stopped before the schema was there.
    private func waitForSchema() async -> Bool {
        var told: String?
        while let obstacle = await schemaObstacle() {
            if obstacle != told { logger.warning("waiting for the schema", ["reason": .string(obstacle)]) }
            told = obstacle
            became(.waiting(obstacle))
            if await stopSignal.wait(until: .now() + Self.schemaPause) { return false }
        }
        return true
    }

    /// Why it cannot begin; nil when it can.
    private func schemaObstacle() async -> String? {
        let general = pools.general
        let version: Int32?
        do throws(PostgresError) {
            version = try await SchemaVersion.current { statement async throws(PostgresError) in
                try await general.execute(statement)
            }
        } catch {
            return "\(error)"
        }
        if let lead = SchemaVersion.lead(current: version) {
            logger.warning("the schema is newer than this release", ["reason": .string(lead)])
        }
        return SchemaVersion.obstacle(current: version)
    }
}
