import EventLoop
import JSON
import Postgres
import TestKit

/// The jobqueue of one test: a migrated database, and the api, worker and reaper processes that the test starts.
struct Deployment: Sendable {
    let database: TestDatabase
    let services: Services

    /// Runs `body` with a database on the shared server, then ends every process that it started.
    static func use(_ body: (Deployment) async throws -> Void) async throws {
        let database = try await TestDatabase.migrated()
        try await withServices { services in
            try await body(Deployment(database: database, services: services))
        }
    }

    // MARK: Processes

    /// Starts an api, and returns when it accepts requests.
    func startApi(_ environment: [String: String] = [:]) async throws -> RunningApi {
        let api = try await services.startApi(database.url, environment)
        try await api.waitUntilReady(within: .seconds(30))
        return api
    }

    /// Starts a worker; with `waiting`, returns when it has joined.
    func startWorker(
        _ name: String = "worker", _ environment: [String: String] = [:], waiting: Bool = true
    ) async throws -> ServiceProcess {
        let own = ["WORKER_NAME": name, "WORKER_POLL_INTERVAL_SECONDS": "0.1"]
        let worker = try await start("jobqueue-worker", [], own.merging(environment) { $1 })
        if waiting { try await worker.waitForLine(containing: "\"working\"", within: .seconds(30)) }
        return worker
    }

    /// Starts a reaper with an interval of one second for expired leases.
    func startReaper(_ environment: [String: String] = [:]) async throws -> ServiceProcess {
        try await start("jobqueue-reaper", [], ["REAPER_INTERVAL_SECONDS": "1"].merging(environment) { $1 })
    }

    /// Starts any program of ours on the database.
    func start(
        _ program: String, _ arguments: [String] = [], _ environment: [String: String] = [:]
    ) async throws -> ServiceProcess {
        try await services.start(
            program, arguments, environment: database.environment.merging(environment) { $1 })
    }

    // MARK: The database

    /// Runs `body` with the stores, for preparation and time travel.
    @discardableResult
    func withFixture<Value: Sendable>(_ body: @Sendable (Fixture) async throws -> Value) async throws -> Value {
        try await Fixture.use(database, body)
    }

    /// Runs a statement on a new connection, because PostgreSQL may have been restarted since the last one.
    @discardableResult
    func sql(_ sql: String, _ parameters: Parameters = Parameters()) async throws -> Rows {
        try await database.sql(sql, parameters)
    }

    /// The first column of each row.
    func texts(_ sql: String) async throws -> [String] {
        try await database.texts(sql)
    }
}
