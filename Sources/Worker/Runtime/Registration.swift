internal import EventLoop
internal import JSON
internal import Postgres
internal import Service
internal import Synchronization
internal import Telemetry
internal import Values
internal import Workers

/// The row of this worker in PostgreSQL: it is inserted at the start, renewed by heartbeats with the worker's counters
/// and types, and marked as deregistered at the end.
///
/// A worker whose heartbeats do not arrive is considered dead. When one arrives again the worker registers as a new
/// incarnation, which counts from zero.
final class Registration: ProcessService {
    let name = "registration"

    private struct Counters {
        /// Counted by the previous incarnations: PostgreSQL has added it up already.
        var before: [String: Double] = [:]
        /// In the last heartbeat, since the process began.
        var lastSent: [String: Double] = [:]
    }

    private let registry: WorkerRegistry
    private let metrics: MetricRegistry
    private let identity: WorkerIdentity
    private let runner: AttemptRunner
    private let first: WorkerDescription
    private let describe: @Sendable () -> WorkerDescription
    private let lock: InstanceLock
    private let interrupted: @Sendable () -> Void
    private let process: ProcessContext
    private let isArriving = Atomic(true)
    private let isPausedByFile = Atomic(false)
    private let counters = Mutex(Counters())
    private let heartbeats = Mutex<PeriodicService?>(nil)

    /// - Parameters:
    ///   - first: the incarnation of the start.
    ///   - describe: makes a new incarnation each time.
    ///   - interrupted: a heartbeat has arrived after some that have not, or after the worker was considered dead.
    init(
        registry: WorkerRegistry, metrics: MetricRegistry, identity: WorkerIdentity, runner: AttemptRunner,
        first: WorkerDescription, describe: @escaping @Sendable () -> WorkerDescription, lock: InstanceLock,
        interrupted: @escaping @Sendable () -> Void, in process: ProcessContext
    ) {
        self.registry = registry
        self.metrics = metrics
        self.identity = identity
        self.runner = runner
        self.first = first
        self.describe = describe
        self.lock = lock
        self.interrupted = interrupted
        self.process = process
    }

    /// Whether the last heartbeat has reached PostgreSQL.
    var isAlive: Bool { isArriving.load(ordering: .relaxed) }

    func start() async throws {
        try await process.wait("waiting for the registration") { await self.joinObstacle() }
        process.logger.info(
            "registered", ["worker_id": .integer(identity.id), "concurrency": .integer(first.concurrency)])
        let heartbeats = PeriodicService(
            HeartbeatTask(registration: self), every: .seconds(WorkerRegistry.heartbeatSeconds), in: process,
            whileDraining: true)
        self.heartbeats.withLock { $0 = heartbeats }
        await heartbeats.start()
    }

    private func joinObstacle() async -> String? {
        do throws(PostgresError) {
            try await reportEnded()
            let sentAt = MonotonicInstant.now()
            identity.became(try await registry.join(first), sentAt: sentAt)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// So that the jobs of the workers that had the lock before run again at once.
    private func reportEnded() async throws(PostgresError) {
        let ended = lock.ended
        guard !ended.isEmpty else { return }
        for id in try await registry.reportEnded(ended) {
            process.logger.warning("the previous worker has ended without a word", ["worker_id": .integer(id)])
        }
    }

    func stop() async {
        await heartbeats.withLock { $0 }?.stop()
        do throws(PostgresError) {
            try await registry.deregister(id: identity.id, counters: json(of: metrics.snapshot()))
        } catch {
            process.logger.warning("could not deregister the worker", ["error": .error(error)])
        }
    }

    // MARK: Heartbeats

    /// Reports a pause by the control file, or its end, with a heartbeat of its own. Call it on the loop.
    func setPausedByFile(_ isPaused: Bool) {
        isPausedByFile.store(isPaused, ordering: .relaxed)
        renewSoon()
    }

    /// Sends a heartbeat now. Call it on the loop.
    func renewSoon() {
        heartbeats.withLock { $0 }?.runSoon()
    }

    fileprivate func sendHeartbeat() async throws(PostgresError) {
        do throws(PostgresError) {
            let hasRejoined = try await renew()
            if !isArriving.exchange(true, ordering: .relaxed) || hasRejoined { interrupted() }
        } catch {
            isArriving.store(false, ordering: .relaxed)
            throw error
        }
    }

    /// - Returns: whether the worker was considered dead, and has joined again.
    private func renew() async throws(PostgresError) -> Bool {
        let snapshot = metrics.snapshot()
        let running = Int32(clamping: runner.runningCount)
        let table = runner.table
        let sentAt = MonotonicInstant.now()
        let isRegistered = try await registry.heartbeat(
            id: identity.id, running: running, counters: json(of: snapshot), types: table.names,
            keptTypes: table.keptNames, loopTurnSeconds: process.loop.longestTurn.inSeconds,
            isPausedByFile: isPausedByFile.load(ordering: .relaxed))
        guard !isRegistered else {
            identity.confirmed(sentAt: sentAt)
            return false
        }
        // The reaper has kept the counters of the last heartbeat that arrived.
        counters.withLock { $0.before = $0.lastSent }
        let joinedAt = MonotonicInstant.now()
        let description = describe()
        do throws(SystemError) {
            try lock.add(description.incarnation)
        } catch {
            process.logger.error("cannot write WORKER_LOCK_FILE", ["error": .error(error)])
        }
        identity.became(try await registry.join(description), sentAt: joinedAt)
        process.logger.warning(
            "this worker was considered dead, and has registered again", ["worker_id": .integer(identity.id)])
        return true
    }

    /// What this incarnation has counted, as one object of numbers.
    private func json(of snapshot: MetricSnapshot) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        counters.withLock { counters in
            counters.lastSent = [:]
            for entry in snapshot.entries {
                counters.lastSent[entry.series] = entry.value
                writer.member(entry.series, entry.value - (counters.before[entry.series] ?? 0))
            }
        }
        writer.endObject()
        return writer.finish()
    }
}

private struct HeartbeatTask: PeriodicTask {
    let name = "heartbeat"
    let failureMessage = "the heartbeat failed; retrying"
    let failureLevel = LogLevel.warning
    let registration: Registration

    func runOnce() async throws(PostgresError) -> NoReport {
        try await registration.sendHeartbeat()
        return NoReport()
    }
}
