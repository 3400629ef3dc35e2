internal import Configuration
internal import EventLoop
internal import Jobs
internal import Pauses
internal import Pools
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values
internal import Workers

/// One worker: its connections, its parts, and its way from start to stop. Everything runs on one loop.
final class WorkerProcess: Sendable {
    private let settings: WorkerSettings
    private let database: DatabaseSource
    private let hot: ConnectionPool
    private let general: ConnectionPool
    private let store: JobStore
    private let registry: WorkerRegistry
    private let identity = WorkerIdentity()
    private let runner: AttemptRunner
    private let leaseLoop: LeaseLoop
    private let keeper: LeaseKeeper
    private let cancelWatcher: CancelWatcher
    private let pauseWatcher: PauseWatcher
    private let heartbeat: Heartbeat
    /// nil: the worker is no member of a pool.
    private let member: PoolMember?
    private let loop: Loop
    private let logger: Logger
    private let describe: @Sendable () -> WorkerDescription
    /// Of this process, until it is taken for dead.
    private let incarnation: UUID
    /// Woken by signals.
    private let stopSignal: WakeSignal
    private let state = Mutex(ServiceState.waiting("starting"))
    /// For handlers to obey and ends to be written down, after patience has run out.
    private static let settlingTime = Duration.seconds(10)

    init(
        _ settings: WorkerSettings, on loop: Loop, logger: Logger
    ) throws(DatabaseSettings.InvalidURL) {
        self.settings = settings
        self.loop = loop
        self.logger = logger
        database = DatabaseSource(settings.database)
        let sessions = try database.settings(schema: settings.schema, applicationName: "jobqueue-worker")
        let credentials = database.credentials
        // One connection is the general one; the hot ones share leases, ends, renewals and heartbeats.
        hot = ConnectionPool(
            sessions, profile: .hot, options: .init(size: settings.poolSize - 1), on: loop, credentials: credentials)
        general = ConnectionPool(sessions, options: .init(size: 1), on: loop, credentials: credentials)
        store = JobStore(hot: hot, general: general, subqueues: SubqueueDirectory())
        registry = WorkerRegistry(pool: hot)
        stopSignal = WakeSignal(on: loop)

        let metrics = MetricRegistry(logger: logger)
        let plan = LeasePlan(
            concurrency: settings.concurrency, batchSize: settings.batchSize, batchMax: settings.batchMax)
        runner = AttemptRunner(
            plan: plan, handlers: settings.handlers.initial, leaseDuration: settings.leaseDuration,
            finisher: Finisher(store: store, on: loop, logger: logger),
            reporter: ProgressReporter(store: store, on: loop, logger: logger), on: loop, registry: metrics,
            logger: logger)
        describe = Self.describer(settings, runner)
        incarnation = describe().incarnation
        let options = LeaseLoop.Options(
            queues: settings.queues, pollInterval: settings.pollInterval, leaseDuration: settings.leaseDuration)
        leaseLoop = LeaseLoop(
            options: options, store: store, registry: registry, runner: runner, identity: identity, on: loop,
            logger: logger)
        keeper = LeaseKeeper(
            runner: runner, store: store, leaseDuration: settings.leaseDuration, on: loop, logger: logger)
        cancelWatcher = CancelWatcher(store: store, identity: identity, runner: runner, on: loop, logger: logger)
        pauseWatcher = PauseWatcher(
            options: settings.control, control: PauseStore(pool: general), registry: registry, identity: identity,
            runner: runner, leaseLoop: leaseLoop, on: loop, logger: logger)
        heartbeat = Heartbeat(
            registry: registry, metrics: metrics, identity: identity, runner: runner, on: loop, logger: logger,
            describe: describe)
        member = settings.pool.map { [runner, hot, incarnation] pool in
            PoolMember(
                pool, incarnation: incarnation, store: PoolStore(pool: hot), handlers: { runner.table },
                shutdownGrace: settings.shutdownGrace, metrics: metrics, on: loop, logger: logger)
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
                version: ProductVersion.text, queues: settings.runsJobs ? settings.queues : [], types: runner.typeNames,
                concurrency: Int32(settings.concurrency))
        }
    }

    // MARK: Life

    /// Asks the worker to stop; a second time, to stop at once. Call it on the loop.
    func stop() {
        stopSignal.wake()
    }

    /// Reads the handlers file again. Attempts under way keep their handlers; a file that is wrong changes nothing.
    func reloadHandlers() {
        do throws(HandlersFileError) {
            runner.use(try settings.handlers.load())
            leaseLoop.pollNow()
            logger.info("handlers were read again")
        } catch {
            logger.error("handlers stay as they are", ["error": .string("\(error)")])
        }
    }

    /// Works until it is stopped, then drains.
    func run() async {
        let status = loop.spawn { await self.keepStatus() }
        defer { status.cancel() }
        guard await join() else { return }
        became(.working)
        let listener = listen()
        let tasks = [
            loop.spawn { await self.keeper.run() }, loop.spawn { await self.cancelWatcher.run() },
            loop.spawn { await self.pauseWatcher.run() }, loop.spawn { await self.pauseWatcher.watchFile() },
            loop.spawn { await self.heartbeat.run() }, loop.spawn { await self.watchCredentials() },
        ]
        let leasing = settings.runsJobs ? loop.spawn { await self.leaseLoop.run() } : nil
        let membership = member.map { member in loop.spawn { await member.run() } }
        logger.info(
            "working", ["worker_id": .integer(identity.id), "concurrency": .integer(settings.concurrency)])

        await stopSignal.wait()
        became(.stopping)
        logger.info("stopping: nothing more is leased", ["running": .integer(runner.runningCount)])
        leaseLoop.stop()
        member?.leave()
        listener.close()
        await leasing?.value
        await drain()
        await membership?.value

        for task in tasks { task.cancel() }
        await heartbeat.deregister()
        hot.close()
        general.close()
        logger.info("stopped")
    }

    /// Waits for the database and its schema, and registers. False when it was stopped before.
    private func join() async -> Bool {
        var told: String?
        while let obstacle = await joinOnce() {
            if obstacle != told { logger.warning("waiting to begin", ["reason": .string(obstacle)]) }
            told = obstacle
            became(.waiting(obstacle))
            if await stopSignal.wait(until: .now() + .seconds(1)) { return false }
        }
        return true
    }

    /// Why it cannot begin; nil when it has.
    private func joinOnce() async -> String? {
        do throws(PostgresError) {
            let version = try await SchemaVersion.current { statement async throws(PostgresError) in
                try await general.execute(statement)
            }
            if let obstacle = SchemaVersion.obstacle(current: version) { return obstacle }
            if let lead = SchemaVersion.lead(current: version) {
                logger.warning("the schema is newer than this release", ["reason": .string(lead)])
            }
            var description = describe()
            description.incarnation = incarnation
            identity.became(try await registry.join(description))
            return nil
        } catch {
            return "\(error)"
        }
    }

    private func became(_ state: ServiceState) {
        self.state.withLock { $0 = state }
    }

    /// For the probes.
    private func keepStatus() async {
        guard let file = settings.statusFile else { return }
        await file.keep(on: loop) { [self] in
            let state = state.withLock { $0 }
            return state == .working && !heartbeat.arrives ? .waiting("no heartbeat reaches PostgreSQL") : state
        } failed: { [logger] error in
            logger.error("the status file cannot be written", ["error": .error(error)])
        }
    }

    private func listen() -> NotificationListener {
        let ready = ReadyNotifier.channel(schema: settings.schema)
        let stop = CancelNotifier.channel(schema: settings.schema)
        let control = PauseStore.channel(schema: settings.schema)
        let pools = PoolStore.channel(schema: settings.schema)
        // Its address was accepted when the pools were made.
        let sessions = try? database.settings(schema: settings.schema, applicationName: "jobqueue-worker listening")
        guard let sessions else { preconditionFailure("the database's address has become invalid") }
        let listener = NotificationListener(
            sessions,
            channels: [ready, stop] + (settings.listensForPauses ? [control] : []) + (member == nil ? [] : [pools]),
            on: loop, credentials: database.credentials
        ) { [leaseLoop, cancelWatcher, pauseWatcher, member, logger] event in
            switch event {
            case .notification(let notification):
                let names = notification.payload.split(separator: ",")
                switch notification.channel {
                case stop: cancelWatcher.notified(of: names)
                case control: pauseWatcher.lookAgain()
                case pools: member?.notified(of: names)
                default: leaseLoop.notified(of: names)
                }
            case .listening:
                leaseLoop.pollNow()
                cancelWatcher.lookAgain()
                pauseWatcher.lookAgain()
                member?.renewNow()
            case .interrupted(let reason):
                logger.warning("notifications are interrupted; polling goes on", ["reason": .string(reason)])
            }
        }
        listener.start()
        return listener
    }

    private func watchCredentials() async {
        while (try? await loop.sleep(for: .seconds(2))) != nil {
            switch database.refresh() {
            case .unchanged: break
            case .rotated:
                logger.info("database credentials were rotated")
                hot.retireAll()
                general.retireAll()
            case .failed(let problem):
                logger.warning("database credentials cannot be read", ["error": .string(problem)])
            }
        }
    }

    // MARK: Stopping

    /// Gives back what has not begun, waits for what runs, and stops what takes too long or, at a second signal, at
    /// once. Leases are kept meanwhile.
    private func drain() async {
        runner.drain()
        let patience = MonotonicInstant.now() + settings.shutdownGrace
        let waiting = loop.spawn { [self] in
            // A signal or the end of patience, whichever comes first.
            await stopSignal.wait(until: patience)
            runner.stopRunning()
        }
        let end = patience + Self.settlingTime
        while !runner.isIdle, await runner.progress.wait(until: end) {}
        if !runner.isIdle {
            logger.error("stopping with jobs whose end could not be written down: their leases will expire")
        }
        waiting.cancel()
        stopSignal.wake()
        await waiting.value
    }
}
