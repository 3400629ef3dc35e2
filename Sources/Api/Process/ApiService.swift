internal import Configuration
internal import EventLoop
internal import HTTP
internal import Jobs
internal import Pauses
internal import Postgres
internal import Synchronization
internal import TLS
internal import Telemetry
internal import Values

/// The process while it serves: one loop a thread, each with connections of its own to clients and to PostgreSQL.
///
/// It starts whether PostgreSQL is there or not, and is ready when it is. SIGTERM or SIGINT ends it without breaking a
/// promise (`Server.drain`); a second one cuts the wait short.
final class ApiService: Sendable {
    /// What a second signal leaves of the time for draining.
    private static let hurriedDrain = Duration.seconds(1)

    private let loops: [Loop]
    private let databases: LoopDatabases
    private let readiness: Readiness
    private let server: Server
    private let maintenance: Maintenance
    private let settings: ServingSettings
    private let logger: Logger
    private let hasEnded = Atomic(false)

    /// Serves until a signal ends it. Runs on the calling thread, and returns the exit status.
    static func run(_ settings: ApiSettings, _ logger: Logger) -> Int32 {
        let status = Mutex<Int32>(0)
        do {
            ResourceLimits.raiseDescriptors()
            let first = try Loop(label: "api-0")
            var loops = [first]
            for number in 1..<settings.serving.threads { loops.append(try Loop.start(label: "api-\(number)")) }
            let service = try ApiService(settings, loops, logger)
            try Signals.handle([Signals.terminate, Signals.interrupt], on: first) { _ in service.stop() }
            first.spawn {
                do {
                    try await service.start()
                } catch {
                    logger.error("cannot start", ["error": .error(error)])
                    status.withLock { $0 = 1 }
                    first.stop()
                }
            }
            first.run()
        } catch {
            logger.error("cannot start", ["error": .error(error)])
            return 1
        }
        return status.withLock { $0 }
    }

    private init(_ settings: ApiSettings, _ loops: [Loop], _ logger: Logger) throws {
        self.loops = loops
        self.settings = settings.serving
        self.logger = logger
        let registry = MetricRegistry(logger: logger)
        let sessions = try settings.sessions()
        let dependencies = LoopDatabase.Dependencies(
            sessions: sessions, credentials: settings.database.credentials, schema: sessions.schema,
            subqueues: SubqueueDirectory(), metrics: ConnectionPoolMetrics(registry: registry), logger: logger)
        databases = LoopDatabases(
            all: zip(loops, settings.serving.connectionsPerLoop).map { loop, connections in
                LoopDatabase(dependencies, connections: connections, on: loop)
            })
        readiness = Readiness(databases.first)
        let endpoints = Endpoints(
            databases: databases, readiness: readiness, metricsPage: MetricsPage(registry, databases.first),
            rateLimitedLog: RateLimitedLog(logger: logger),
            acknowledgements: AcknowledgementWaiter(
                sessions, credentials: settings.database.credentials, workers: databases.first.workers, on: loops[0]),
            payloadBytesMax: settings.serving.payloadBytesMax)
        server = Server(
            router: endpoints.router(authorizer: RootKeyAuthorizer(rootKey: settings.serving.rootKey)),
            limits: Self.limits(settings.serving), loops: loops, metrics: registry, logger: logger)
        maintenance = Maintenance(
            database: settings.database, databases: databases, readiness: readiness, tls: settings.serving.tls,
            logger: logger)
    }

    private static func limits(_ settings: ServingSettings) -> ServerLimits {
        var limits = ServerLimits()
        limits.connectionsMax = settings.connectionsMax
        return limits
    }

    private func start() async throws {
        for database in databases.all { database.start() }
        let upgrade = settings.tls.map(Self.upgrade)
        for address in try await SocketAddress.resolve(host: settings.address.host, port: settings.address.port) {
            let bound = try server.listen(on: address, upgrade: upgrade)
            logger.info(
                "listening",
                [
                    "address": .text(bound), "tls": .boolean(upgrade != nil), "threads": .integer(loops.count),
                    "version": .string(ProductVersion.text),
                ])
        }
        loops[0].spawn { [maintenance, loops] in await maintenance.run(on: loops[0]) }
    }

    private static func upgrade(to context: TLSServerContext) -> Server.StreamUpgrade {
        { socket, deadline in try await TLSStream.accept(socket, context: context, deadline: deadline) }
    }

    // MARK: The end

    /// Call it on the first loop. The second call hurries the first.
    private func stop() {
        let isFirst = server.isReady
        readiness.beginDraining()
        logger.info(isFirst ? "stopping" : "stopping at once")
        let timeout = isFirst ? settings.drainTimeout : Self.hurriedDrain
        let delay = isFirst ? settings.drainDelay : .zero
        loops[0].spawn { [self] in
            let report = await server.drain(deadline: .now() + timeout, readinessDelay: delay)
            await end(report)
        }
    }

    private func end(_ report: Server.DrainReport) async {
        guard !hasEnded.exchange(true, ordering: .relaxed) else { return }
        for database in databases.all { await database.close() }
        logger.info("stopped", ["connections_cut": .integer(report.cut)])
        loops[0].stop()
    }
}
