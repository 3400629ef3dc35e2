internal import EventLoop
internal import Jobs
internal import Pauses
internal import Pools
internal import Postgres
internal import Service
internal import Telemetry
internal import Values
internal import Workers

/// The page of `GET /metrics`: the metrics of this process, and the cluster-wide ones from PostgreSQL.
///
/// Workers and reapers have no port: their counters reach PostgreSQL, and from there the page of every api.
///
/// Two reports, because they differ in cost: the counts, with everything else that is cheap at any number of queues,
/// and the waits, for which the first job of each subqueue is read. Both are read on the connection for reports, so
/// that no request waits for them, and each at its own pace (`LatestReport`). Without PostgreSQL the page has the
/// metrics of this process, and `jobqueue_database_up` is 0. That is asked of PostgreSQL when a report fails or is
/// late: a slow report is no outage.
final class MetricsPage: Sendable {
    /// The longest wait for an answer of PostgreSQL of any kind. A scrape has a deadline of 10 s by default.
    private static let pingLimit = Duration.seconds(2)
    /// A report that takes longer fails. Beyond the `statement_timeout` of its session.
    private static let readLimit = Duration.seconds(65)

    static let alive = MetricDeclaration(
        .gauge, "worker_alive", help: "Workers that lease jobs and whose heartbeat has not expired.")
    static let paused = MetricDeclaration(
        .gauge, "worker_paused_by_file", help: "Live workers that lease nothing because of their own control file.")
    static let loopTurn = MetricDeclaration(
        .gauge, "worker_loop_turn_max_seconds",
        help: "Longest turn of the event loop of any live worker in the last one to two minutes.")
    static let reaperHeartbeat = MetricDeclaration(
        .gauge, "jobqueue_reaper_heartbeat_age_seconds", help: "Seconds since the latest heartbeat of any reaper.")
    static let age = MetricDeclaration(
        .gauge, "jobqueue_report_age_seconds",
        help: "Seconds since PostgreSQL was asked for the cluster-wide metrics of this page, by report.",
        labels: ["report"])

    private static let ofCounts =
        JobCollector.counted + DatabaseCollector.statistics + WorkerMetrics.all + PauseCollector.declarations
        + PoolCollector.declarations + [WatchdogMetrics.jobs, WorkloadMetrics.restarts]
        + [alive, paused, loopTurn, reaperHeartbeat]
    private static let ofWaits = [JobCollector.oldest, JobCollector.unrunnable]

    /// All metrics from PostgreSQL.
    static let declarations = ofCounts + ofWaits + [DatabaseCollector.up, age]

    private let registry: MetricRegistry
    private let loops: [Loop]
    private let counts: LatestReport<[MetricFamily]>
    private let waits: LatestReport<[MetricFamily]>
    private let ping: SingleFlightCache<Bool>

    /// - Parameter loops: all of the process.
    init(_ registry: MetricRegistry, _ database: LoopDatabase, loops: [Loop]) {
        self.registry = registry
        self.loops = loops
        let reports = database.sessions.reports
        counts = LatestReport(on: database.loop, quick: .milliseconds(500)) { await Self.readCounts(reports) }
        waits = LatestReport(on: database.loop, quick: .milliseconds(40)) { await Self.readWaits(reports) }
        // Not the connection for reports, which may be busy.
        let hot = database.hot
        ping = SingleFlightCache(
            on: database.loop, keptFor: ReportPace.keptFor, limit: Self.pingLimit, whenLate: { false },
            find: { await DatabaseCollector.answers(hot, within: Self.pingLimit) })
    }

    func render() async -> [UInt8] {
        let database = await fromDatabase()
        return registry.page(
            with: database + ProcessMetrics.families() + [
                ProcessMetrics.longestLoopTurn(loops.map(\.longestTurn.inSeconds).max() ?? 0),
                ProcessMetrics.build(version: ProductVersion.text),
            ])
    }

    private func fromDatabase() async -> [MetricFamily] {
        // One after the other, so that the counts do not wait for the connection behind the waits.
        let counts = await counts.latest()
        let waits = await waits.latest()
        let isUp = if counts.isCurrent { true } else { await ping.value() }
        guard isUp else {
            return Self.missing(Self.ofCounts + Self.ofWaits + [Self.age]) + [DatabaseCollector.isUp(false)]
        }
        var ages = MetricFamily(Self.age)
        let now = MonotonicInstant.now()
        for (name, report) in [("counts", counts.report), ("waits", waits.report)] {
            if let report { ages.add((now - report.began).inSeconds, name) }
        }
        return (counts.report?.value ?? Self.missing(Self.ofCounts))
            + (waits.report?.value ?? Self.missing(Self.ofWaits)) + [ages, DatabaseCollector.isUp(true)]
    }

    /// The families without series, so that the page always has the same names.
    private static func missing(_ declarations: [MetricDeclaration]) -> [MetricFamily] {
        declarations.map { MetricFamily($0) }
    }

    private static func readCounts(_ reports: ConnectionPool) async -> [MetricFamily]? {
        do throws(PostgresError) {
            let registry = WorkerRegistry(pool: reports)
            let jobs = JobCollector.families(try await QueueReports(pool: reports).counts())
            let workers = try await registry.alive()
            let counted = try await readWorkers(registry, workers)
            let pauses = try await PauseCollector.read(PauseStore(pool: reports), workers)
            let pools = try await PoolCollector.read(PoolStore(pool: reports))
            return jobs + counted + pauses + pools + (try await DatabaseCollector.read(reports, timeout: readLimit))
        } catch {
            return nil
        }
    }

    private static func readWaits(_ reports: ConnectionPool) async -> [MetricFamily]? {
        do throws(PostgresError) {
            return JobCollector.families(try await QueueReports(pool: reports).waits())
        } catch {
            return nil
        }
    }

    private static func readWorkers(
        _ registry: WorkerRegistry, _ workers: [LiveWorker]
    ) async throws(PostgresError) -> [MetricFamily] {
        var live = MetricFamily(alive)
        // Members of pools that take no jobs are counted by `pool_members`.
        live.add(Double(workers.count { $0.description.queues != [] }))
        var stopped = MetricFamily(paused)
        stopped.add(Double(workers.count(where: \.isPausedByFile)))
        var turn = MetricFamily(loopTurn)
        turn.add(workers.map(\.loopTurnSeconds).max() ?? 0)
        let counted = MetricSnapshot(
            entries: try await registry.series().map { MetricSnapshot.Entry(series: $0.series, value: $0.value) })
        var heartbeat = MetricFamily(reaperHeartbeat)
        heartbeat.add(try await registry.secondsSinceReaperHeartbeat())
        return counted.families(WorkerMetrics.all + [WatchdogMetrics.jobs, WorkloadMetrics.restarts])
            + [live, stopped, turn, heartbeat]
    }
}
