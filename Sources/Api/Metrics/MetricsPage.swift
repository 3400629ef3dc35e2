internal import Jobs
internal import Pools
internal import Postgres
internal import Telemetry
internal import Workers

/// The page of `GET /metrics`: what this process counts, and what PostgreSQL knows of the whole house.
///
/// Workers and reapers have no port of their own: what they count reaches PostgreSQL, and from there the page of every
/// api. Without PostgreSQL the page has this process's own figures, and says that the others are missing.
final class MetricsPage: Sendable {
    /// For how long the figures of PostgreSQL are shown without asking again.
    private static let keptFor = Duration.seconds(1)
    /// The page waits no longer for them: a scrape has a deadline too, 10 s by default.
    private static let limit = Duration.seconds(3)

    static let alive = MetricDeclaration(
        .gauge, "worker_alive", help: "Workers that lease jobs and whose heartbeat has not expired.")
    static let reaperHeartbeat = MetricDeclaration(
        .gauge, "jobqueue_reaper_heartbeat_age_seconds", help: "Seconds since the latest heartbeat of any reaper.")

    /// All that PostgreSQL tells.
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

    /// The families without a series, so that the page has the same names at any time.
    private static var missing: [MetricFamily] {
        declarations.filter { $0 != DatabaseCollector.up }.map { MetricFamily($0) } + [DatabaseCollector.isUp(false)]
    }

    private static func read(_ database: LoopDatabase) async -> [MetricFamily] {
        do throws(PostgresError) {
            let jobs = JobCollector.families(
                transitions: try await database.jobs.transitionCounts(), depths: try await database.jobs.depths(),
                oldest: try await database.jobs.oldestReady())
            let workers = try await database.workers.alive()
            let fleet = try await readWorkers(database.workers, workers)
            let control = try await PauseCollector.read(database.control, workers)
            let pools = try await PoolCollector.read(database.pools)
            let statistics = try await DatabaseCollector.read(database.general, timeout: limit)
            return jobs + fleet + control + pools + statistics + [DatabaseCollector.isUp(true)]
        } catch {
            return missing
        }
    }

    private static func readWorkers(
        _ registry: WorkerRegistry, _ workers: [LiveWorker]
    ) async throws(PostgresError) -> [MetricFamily] {
        var living = MetricFamily(alive)
        // Members of pools that take no jobs besides are workers too: `pool_members` has them.
        living.add(Double(workers.count { $0.description.queues != [] }))
        let counted = MetricSnapshot(
            entries: try await registry.series().map { MetricSnapshot.Entry(series: $0.series, value: $0.value) })
        var round = MetricFamily(reaperHeartbeat)
        round.add(try await registry.secondsSinceReaperHeartbeat())
        return counted.families(WorkerMetrics.all + [WatchdogMetrics.jobs, WorkloadMetrics.restarts])
            + [living, round]
    }
}
