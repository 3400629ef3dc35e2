internal import EventLoop
internal import JSON
internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Workers

/// Tells PostgreSQL every few seconds that this worker lives, what it has counted and which types it can run.
final class Heartbeat: Sendable {
    private let registry: WorkerRegistry
    private let metrics: MetricRegistry
    private let identity: WorkerIdentity
    private let runner: AttemptRunner
    private let describe: @Sendable () -> WorkerDescription
    private let loop: Loop
    private let logger: Logger
    private let isArriving = Atomic(true)
    /// What the incarnations before this one have counted: PostgreSQL has it already.
    private let counted = Mutex<[String: Double]>([:])

    /// - Parameter describe: makes a new incarnation each time.
    init(
        registry: WorkerRegistry, metrics: MetricRegistry, identity: WorkerIdentity, runner: AttemptRunner,
        on loop: Loop, logger: Logger, describe: @escaping @Sendable () -> WorkerDescription
    ) {
        self.registry = registry
        self.metrics = metrics
        self.identity = identity
        self.runner = runner
        self.describe = describe
        self.loop = loop
        self.logger = logger
    }

    /// Whether the last one has reached PostgreSQL.
    var arrives: Bool { isArriving.load(ordering: .relaxed) }

    /// Until the task is cancelled.
    func run() async {
        while true {
            do throws(CancellationError) {
                try await loop.sleep(for: .seconds(WorkerRegistry.heartbeatSeconds))
            } catch {
                return
            }
            do throws(PostgresError) {
                try await send()
                isArriving.store(true, ordering: .relaxed)
            } catch {
                isArriving.store(false, ordering: .relaxed)
                logger.warning("no heartbeat", ["error": .error(error)])
            }
        }
    }

    private func send() async throws(PostgresError) {
        let snapshot = metrics.snapshot()
        let running = Int32(clamping: runner.runningCount)
        let lives = try await registry.heartbeat(
            id: identity.id, running: running, counters: json(of: snapshot), types: runner.typeNames)
        guard !lives else { return }
        // The reaper has kept what the last heartbeat that arrived said; what was counted since is counted anew.
        counted.withLock { counted in
            counted = lastSent.withLock { $0 }
        }
        identity.became(try await registry.join(describe()))
        logger.warning("this worker was taken for dead, and has joined anew", ["worker_id": .integer(identity.id)])
    }

    /// Says goodbye.
    func deregister() async {
        do throws(PostgresError) {
            try await registry.deregister(id: identity.id, counters: json(of: metrics.snapshot()))
        } catch {
            logger.warning("could not say goodbye", ["error": .error(error)])
        }
    }

    private let lastSent = Mutex<[String: Double]>([:])

    /// What this incarnation has counted, as one object of numbers.
    private func json(of snapshot: MetricSnapshot) -> [UInt8] {
        let before = counted.withLock { $0 }
        var writer = JSONWriter()
        writer.beginObject()
        var sent: [String: Double] = [:]
        for entry in snapshot.entries {
            sent[entry.series] = entry.value
            writer.member(entry.series, entry.value - (before[entry.series] ?? 0))
        }
        writer.endObject()
        lastSent.withLock { $0 = sent }
        return writer.finish()
    }
}
