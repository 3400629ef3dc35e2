import Configuration
import EventLoop
import Jobs
import Pauses
import Service
import TLS
import Telemetry
import TestKit

@testable import Api
@testable import HTTP

/// The API without a process and without a socket: a request passes the parser, the router, the endpoints and the
/// database as it does in the server. It lives on `TestLoop`.
struct InProcessApi: Sendable {
    static let key = "in-process-key-0123456789abcdef"

    let log = CollectedLog()
    private let server: Server

    init(_ endpoints: (Logger, MetricRegistry) throws -> Endpoints) rethrows {
        let logger = Logger(component: "api", level: .info, sink: log)
        let registry = MetricRegistry(logger: logger)
        let authorizer = RootKeyAuthorizer(rootKey: SHA256.digest(of: Array(Self.key.utf8)))
        server = Server(
            router: try endpoints(logger, registry).router(authorizer: authorizer), loops: [TestLoop.shared],
            metrics: registry, logger: logger)
    }

    /// Presents the key.
    var client: HTTPTestClient { client(key: Self.key) }

    /// Presents no key.
    var stranger: HTTPTestClient { client(key: nil) }

    func client(key: String?) -> HTTPTestClient {
        HTTPTestClient(key: key) { [server] stream in
            let loop = server.serverLoops[0]
            var connection = Connection(
                stream, of: server, on: loop, record: ConnectionRecord(stream, on: loop.loop),
                remoteAddress: .loopback(port: 1))
            await connection.run()
        }
    }

    /// Creates a job, and returns its id.
    func createJob(_ body: String = #"{"type":"echo"}"#) async throws -> String {
        try await client.createJob(body)
    }
}

/// Runs `body` with an API on a migrated database of its own.
func withApi(_ body: @Sendable (InProcessApi, Fixture) async throws -> Void) async throws {
    try await Fixture.use { fixture in
        var database: LoopDatabase?
        let api = InProcessApi { logger, registry in
            let endpoints = endpoints(fixture.database.url, on: TestLoop.shared, logger, registry)
            database = endpoints.databases.first
            return endpoints
        }
        do {
            try await body(api, fixture)
            await database?.sessions.close()
        } catch {
            await database?.sessions.close()
            throw error
        }
    }
}

/// The endpoints over a database that is not there: for what can be asked without one.
func endpointsWithoutDatabase() throws -> Endpoints {
    let logger = Logger(component: "test", level: .error, sink: CollectedLog())
    return endpoints("postgresql://127.0.0.1:1/none", on: try Loop(label: "test"), logger, MetricRegistry())
}

private func endpoints(
    _ databaseURL: String, on loop: Loop, _ logger: Logger, _ registry: MetricRegistry
) -> Endpoints {
    var reader = SettingsReader(environment: ProcessEnvironment(["DATABASE_URL": databaseURL]))
    let settings = SessionSettings(
        reading: &reader, applicationName: "jobqueue-api", poolSize: .init(default: 4, in: 4...4, help: ""))
    let database = LoopDatabase(.init(settings, metrics: registry, logger: logger), connections: 4, on: loop)
    return Endpoints(
        databases: LoopDatabases(all: [database]), readiness: Readiness(database),
        metricsPage: MetricsPage(registry, database, loops: [loop]), rateLimitedLog: RateLimitedLog(logger: logger),
        acknowledgements: AcknowledgementWaiter(settings, on: database), payloadBytesMax: JobLimits.payloadBytesMax)
}
