internal import EventLoop
internal import Jobs
internal import Pauses
internal import Pools
internal import Postgres
internal import Service
internal import Synchronization
internal import Telemetry
internal import Values
internal import Workers

/// One worker: its services. Everything runs on one loop.
final class WorkerProcess: Sendable {
    /// A second signal stops running jobs at once. The settling time is for handlers to stop, and for results to be
    /// written.
    static func drain(_ settings: WorkerSettings) -> DrainLimits {
        DrainLimits(grace: settings.shutdownGrace, settling: .seconds(10), hurriedGrace: .zero)
    }

    private let settings: WorkerSettings
    private let process: ProcessContext
    private let sessions: DatabaseSessions
    private let runner: AttemptRunner
    private let handoff: SlotHandoff
    private let lock: InstanceLock
    private let registration: Registration
    private let leaseLoop: LeaseLoop
    private let keeper: LeaseKeeper
    private let cancelWatcher: CancelWatcher
    private let cancellations: PeriodicService
    /// nil: the worker does not follow the pause state.
    private let pauses: PeriodicService?
    /// A later connection follows an interruption.
    private let hasListened = Atomic(false)
    /// nil: the worker is no member of a pool.
    private let member: PoolMember?

    init(_ settings: WorkerSettings, in process: ProcessContext) {
        self.settings = settings
        self.process = process
        let (loop, logger) = (process.loop, process.logger)
        // The hot connections are shared by leases, results, renewals and heartbeats.
        sessions = DatabaseSessions(
            settings.sessions, connections: settings.sessions.poolSize, on: loop)
        let store = JobStore(hot: sessions.hot, general: sessions.general, subqueues: SubqueueDirectory())
        let registry = WorkerRegistry(pool: sessions.hot)
        let identity = WorkerIdentity()
        let metrics = MetricRegistry(logger: logger)

        let progress = WakeSignal(on: loop)
        let notifier = ReadyNotifier(
            pool: sessions.notifying, schema: settings.sessions.schema, from: { identity.id }, logger: logger)
        let handoff = SlotHandoff(notifier: notifier, wakeSignal: progress)
        let runner = AttemptRunner(
            plan: LeasePlan(
                concurrency: settings.concurrency, batchSize: settings.batchSize, batchMax: settings.batchMax),
            memory: PayloadMemory(bytesMax: settings.payloadMemoryBytes), handlers: settings.handlers.initial,
            leaseDuration: settings.leaseDuration, finisher: Finisher(store: store, on: loop, logger: logger),
            loader: PayloadLoader(store: store, on: loop, logger: logger), handoff: handoff, progress: progress,
            reporter: ProgressReporter(store: store, on: loop, logger: logger), on: loop, registry: metrics,
            logger: logger)
        self.runner = runner
        self.handoff = handoff
        let describe = Self.describer(settings, runner)
        let description = describe()
        keeper = LeaseKeeper(
            runner: runner, store: store, leaseDuration: settings.leaseDuration, on: loop, logger: logger)
        lock = InstanceLock(settings.lockFile, first: description.incarnation, in: process)
        registration = Registration(
            registry: registry, metrics: metrics, identity: identity, runner: runner, first: description,
            describe: describe, lock: lock,
            interrupted: { [keeper] in keeper.checkAll() }, in: process)
        let options = LeaseLoop.Options(
            queues: settings.queues, pollInterval: settings.pollInterval, leaseDuration: settings.leaseDuration)
        leaseLoop = LeaseLoop(
            options: options, store: store, registry: registry, runner: runner, handoff: handoff,
            identity: identity, confirmIdentity: { [registration] in registration.renewSoon() }, on: loop,
            logger: logger)
        cancelWatcher = CancelWatcher(store: store, identity: identity, runner: runner)
        cancellations = PeriodicService(
            cancelWatcher, every: CancelWatcher.interval, in: process, whileDraining: true)
        let pauseWatcher = PauseWatcher(
            pauses: PauseStore(pool: sessions.general), registry: registry, identity: identity, runner: runner,
            leaseLoop: leaseLoop, logger: logger)
        pauses =
            settings.pauses.isFollowed
            ? PeriodicService(pauseWatcher, every: settings.pauses.pollInterval, in: process, whileDraining: true)
            : nil
        member = settings.pool.map { [sessions, lock] pool in
            PoolMember(
                pool, incarnation: description.incarnation, ended: { lock.ended },
                store: PoolStore(pool: sessions.hot), handlers: { runner.table },
                shutdownGrace: settings.shutdownGrace, metrics: metrics, on: loop, logger: logger)
        }
        process.status.needs { [registration] in
            registration.isAlive ? nil : "no heartbeat reaches PostgreSQL"
        }
    }

    private static func describer(
        _ settings: WorkerSettings, _ runner: AttemptRunner
    ) -> @Sendable () -> WorkerDescription {
        let host = Host.name
        return {
            var generator = UUIDv7Generator()
            var random = SystemRandomNumberGenerator()
            return WorkerDescription(
                incarnation: generator.next(at: .now(), using: &random), name: settings.name ?? host, host: host,
                version: ProductVersion.text, queues: settings.runsJobs ? settings.queues : [],
                types: runner.table.names, keptTypes: runner.table.keptNames, concurrency: Int32(settings.concurrency))
        }
    }

    // MARK: Services

    /// In the order of their start. The drain stops the lease loop first, then the jobs and the workloads; the services
    /// that keep leases, heartbeats and connections go on until these have ended.
    var services: [any ProcessService] {
        process.statusFile(settings.statusFile) + [
            DatabaseService([sessions], settings.sessions.source, in: process), SchemaGate(sessions, in: process),
            lock, registration, leaseClock, cancellations,
        ] + handlersFile + pauseServices + poolServices + [RunningJobs(runner: runner, handoff: handoff, in: process)]
            + leasing + [
                notifications
            ]
    }

    private var handlersFile: [any ProcessService] {
        guard let file = settings.handlers.file else { return [] }
        let watcher = HandlersFileWatcher(file: file) { [self] in reloadHandlers() }
        return [PeriodicService(watcher, every: HandlersFileWatcher.interval, in: process)]
    }

    private var leaseClock: PeriodicService {
        let action = RepeatedAction("lease clock") { [keeper] in keeper.checkClocks() }
        return PeriodicService(action, every: LeaseKeeper.interval, in: process, whileDraining: true)
    }

    private var pauseServices: [any ProcessService] {
        let file = settings.pauses.file.map { file in
            PeriodicService(
                PauseFileWatcher(
                    file: file, runner: runner, leaseLoop: leaseLoop, registration: registration, logger: process.logger
                ),
                every: PauseFileWatcher.interval, in: process, whileDraining: true)
        }
        return [pauses, file].compactMap { $0 }
    }

    private var poolServices: [any ProcessService] {
        guard let member else { return [] }
        let clock = RepeatedAction("workload clock") { member.checkClocks() }
        return [
            PeriodicService(clock, every: PoolMember.clockInterval, in: process, whileDraining: true),
            TaskService("pool member", in: process, drain: { member.leave() }, run: { await member.run() }),
        ]
    }

    private var leasing: [any ProcessService] {
        guard settings.runsJobs else { return [] }
        return [
            TaskService(
                "lease loop", in: process, drain: { [leaseLoop] in leaseLoop.stop() },
                run: { [leaseLoop] in await leaseLoop.run() })
        ]
    }

    private var notifications: NotificationService {
        let schema = settings.sessions.schema
        let ready = ReadyNotifier.channel(schema: schema)
        let cancelled = CancelNotifier.channel(schema: schema)
        let paused = PauseStore.channel(schema: schema)
        let pools = PoolStore.channel(schema: schema)
        let channels =
            [ready, cancelled] + (settings.pauses.listens ? [paused] : []) + (member == nil ? [] : [pools])
        return NotificationService(
            settings.sessions, channels: channels, in: process,
            notified: { [self] notification in
                let names = notification.payload.split(separator: ",")
                switch notification.channel {
                case cancelled: if cancelWatcher.isMeant(by: names) { cancellations.runSoon() }
                case paused: pauses?.runSoon()
                case pools: member?.notified(of: names)
                default: leaseLoop.notified(of: names.map(QueueSignal.init))
                }
            },
            listening: { [self] in
                if hasListened.exchange(true, ordering: .relaxed) { keeper.checkAll() }
                leaseLoop.pollNow()
                cancellations.runSoon()
                pauses?.runSoon()
                member?.renewNow()
            })
    }

    // MARK: Handlers

    /// Reads the handlers file again. Attempts under way keep their handlers; a file with an error changes nothing.
    func reloadHandlers() {
        do throws(HandlersFileError) {
            runner.use(try settings.handlers.load())
            registration.renewSoon()
            leaseLoop.pollNow()
            process.logger.info("the handlers file was read again")
        } catch {
            process.logger.error(
                "the handlers file cannot be used; the previous handlers stay in use", ["error": .string("\(error)")])
        }
    }
}
