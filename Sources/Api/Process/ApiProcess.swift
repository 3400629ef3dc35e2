internal import Configuration
internal import EventLoop
internal import HTTP
internal import Jobs
internal import Pauses
internal import Postgres
internal import Service
internal import TLS
internal import Telemetry

/// One api: its services. Each loop is one thread, with connections of its own to clients and to PostgreSQL.
///
/// The api starts also without PostgreSQL, and is ready when it can be reached.
final class ApiProcess: Sendable {
    /// The grace ends with the connections that are still open (`Server.drain`).
    static func drain(_ settings: ServingSettings) -> DrainLimits {
        DrainLimits(grace: settings.drainTimeout, settling: .seconds(1))
    }

    private let settings: ApiSettings
    private let process: ProcessContext
    private let databases: LoopDatabases
    private let readiness: Readiness
    private let server: Server

    /// Throws when the system has no descriptors or threads left.
    init(_ settings: ApiSettings, in process: ProcessContext) throws(SystemError) {
        self.settings = settings
        self.process = process
        let (serving, logger) = (settings.serving, process.logger)
        var loops = [process.loop]
        for number in 1..<serving.threads { loops.append(try Loop.start(label: "api-\(number)")) }

        let registry = MetricRegistry(logger: logger)
        let dependencies = LoopDatabase.Dependencies(settings.sessions, metrics: registry, logger: logger)
        databases = LoopDatabases(
            all: zip(loops, serving.connectionsPerLoop).map { loop, connections in
                LoopDatabase(dependencies, connections: connections, on: loop)
            })
        readiness = Readiness(databases.first)
        let endpoints = Endpoints(
            databases: databases, readiness: readiness,
            metricsPage: MetricsPage(registry, databases.first, loops: loops),
            rateLimitedLog: RateLimitedLog(logger: logger),
            acknowledgements: AcknowledgementWaiter(settings.sessions, on: databases.first),
            payloadBytesMax: serving.payloadBytesMax)
        var limits = ServerLimits()
        limits.connectionsMax = serving.connectionsMax
        server = Server(
            router: endpoints.router(authorizer: RootKeyAuthorizer(rootKey: serving.rootKey)), limits: limits,
            loops: loops, metrics: registry, logger: logger)
    }

    /// In the order of their start. The drain ends with the connections to PostgreSQL, when no request needs them any
    /// more.
    var services: [any ProcessService] {
        let readinessWatcher = ReadinessWatcher(
            readiness: readiness, pool: databases.first.sessions.hot, logger: process.logger)
        let database = DatabaseService(
            databases.all.map(\.sessions), settings.sessions.source, opensAtStart: true, in: process)
        let http = HTTPService(server, settings.serving, readiness, in: process)
        return [
            database, PeriodicService(readinessWatcher, every: ReadinessWatcher.interval, in: process),
        ] + certificateWatcher + [http]
    }

    private var certificateWatcher: [any ProcessService] {
        guard let tls = settings.serving.tls else { return [] }
        let watcher = CertificateWatcher(tls: tls, logger: process.logger)
        return [PeriodicService(watcher, every: CertificateWatcher.interval, in: process)]
    }
}
