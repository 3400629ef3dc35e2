internal import Jobs
internal import Pools
internal import Postgres
internal import Telemetry
internal import Workers

/// The page of `GET /metrics`: the metrics of this process, and the cluster-wide ones from PostgreSQL.
///
/// Workers and reapers have no port: their counters reach PostgreSQL, and from there the page of every api. Without
/// PostgreSQL the page has the metrics of this process, and `jobqueue_database_up` is 0.
final class MetricsPage: Sendable {
    /// How long the metrics from PostgreSQL are cached.
    private static let keptFor = Duration.seconds(1)
    /// The longest wait for them. A scrape has a deadline of 10 s by default.
    private static let limit = Duration.seconds(3)

    static let alive = MetricDeclaration(
        .gauge, "worker_alive", help: "Workers that lease jobs and whose heartbeat has not expired.")
    static let reaperHeartbeat = MetricDeclaration(
        .gauge, "jobqueue_reaper_heartbeat_age_seconds", help: "Seconds since the latest heartbeat of any reaper.")

    /// All metrics from PostgreSQL.
    static let declarations =
        JobCollector.declarations + DatabaseCollector.declarations + WorkerMetrics.all + PauseCollector.declarations
        + PoolCollector.declarations + [WatchdogMetrics.jobs, WorkloadMetrics.restarts, alive, reaperHeartbeat]

    private let registry: MetricRegistry
    private let fromDatabase: SingleFlightCache<[MetricFamily]>

    init(_ registry: MetricRegistry, _ database: LoopDatabase) {
        self.registry = registry
        fromDatabase = SingleFlightCache(
            on: database.loop, keptFor: Self.keptFor, limit: Self.limit,
            whenLate: { Self.missing },
            find: { await Self.read(database) })
    }

    func render() async -> [UInt8] {
        let others = await fromDatabase.value()
        return registry.page(
            with: others + ProcessMetrics.families() + [ProcessMetrics.build(version: ProductVersion.text)])
    }

    /// The families without series, so that the page always has the same names.
    private static var missing: [MetricFamily] {
        declarations.filter { $0 != DatabaseCollector.up }.map { MetricFamily($0) } + [DatabaseCollector.isUp(false)]
    }

    private static func read(_ database: LoopDatabase) async -> [MetricFamily] {
        do throws(PostgresError) {
            let jobs = JobCollector.families(
                transitions: try await database.jobs.transitionCounts(), depths: try await database.jobs.depths(),
                oldest: try await database.jobs.oldestReady())
            let workers = try await database.workers.alive()
            let counted = try await readWorkers(database.workers, workers)
            let pauses = try await PauseCollector.read(database.control, workers)
            let pools = try await PoolCollector.read(database.pools)
            let statistics = try await DatabaseCollector.read(database.general, timeout: limit)
            return jobs + counted + pauses + pools + statistics + [DatabaseCollector.isUp(true)]
        } catch {
            return missing
        }
    }

    private static func readWorkers(
        _ registry: WorkerRegistry, _ workers: [LiveWorker]
    ) async throws(PostgresError) -> [MetricFamily] {
        var live = MetricFamily(alive)
        // Members of pools that take no jobs are counted by `pool_members`.
        live.add(Double(workers.count { $0.description.queues != [] }))
        let counted = MetricSnapshot(
            entries: try await registry.series().map { MetricSnapshot.Entry(series: $0.series, value: $0.value) })
        var heartbeat = MetricFamily(reaperHeartbeat)
        heartbeat.add(try await registry.secondsSinceReaperHeartbeat())
        return counted.families(WorkerMetrics.all + [WatchdogMetrics.jobs, WorkloadMetrics.restarts])
            + [live, heartbeat]
    }
}
