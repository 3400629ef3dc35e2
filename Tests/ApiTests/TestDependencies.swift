import Configuration
import EventLoop
import HTTP
import Pauses
import Service
import TLS
import Telemetry
import Testing

@testable import Api
@testable import HTTP

/// The endpoints over a database that is not there: for what can be asked without one.
func endpointsWithoutDatabase() throws -> Endpoints {
    let loop = try Loop(label: "test")
    let logger = Logger(component: "test", level: .error, sink: CollectedLog())
    let registry = MetricRegistry()
    var reader = SettingsReader(environment: ProcessEnvironment(["DATABASE_URL": "postgresql://127.0.0.1:1/none"]))
    let settings = SessionSettings(
        reading: &reader, applicationName: "test", poolSize: .init(default: 3, in: 3...3, help: ""))
    let database = LoopDatabase(.init(settings, metrics: registry, logger: logger), connections: 3, on: loop)
    return Endpoints(
        databases: LoopDatabases(all: [database]), readiness: Readiness(database),
        metricsPage: MetricsPage(registry, database), rateLimitedLog: RateLimitedLog(logger: logger),
        acknowledgements: AcknowledgementWaiter(settings, on: database), payloadBytesMax: 1_024)
}

/// A request as the parser gives it.
func request(_ head: String, body: String = "") throws -> Request {
    var parser = RequestParser(limits: MessageLimits())
    guard case .complete(let head, _) = parser.parse(Array("\(head)\r\nHost: x\r\n\r\n".utf8), from: 0) else {
        throw Failure("not a request: \(head)")
    }
    return Request(head: head, body: Array(body.utf8), parameters: PathParameters())
}

/// What `body` throws.
func problem(_ body: () throws(Problem) -> Void, _ location: SourceLocation = #_sourceLocation) -> Problem? {
    do throws(Problem) {
        try body()
        Issue.record("no problem", sourceLocation: location)
        return nil
    } catch {
        return error
    }
}

struct Failure: Error {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
