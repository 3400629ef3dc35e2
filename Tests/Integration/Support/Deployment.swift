import EventLoop
import JSON
import Postgres
import TestKit

/// A jobqueue of a test's own: a migrated database, and what the test starts on it of api, worker and reaper.
struct Deployment: Sendable {
    static let key = "integration-tests-know-this-key-too"

    let database: TestDatabase
    let services: Services

    /// Runs `body` with a database on the shared server, and ends every process that it has started.
    static func use(_ body: (Deployment) async throws -> Void) async throws {
        let database = try await TestDatabase.migrated()
        try await withServices { services in
            try await body(Deployment(database: database, services: services))
        }
    }

    /// Brings an empty database up to date, as an operator does.
    func migrate() async throws {
        let migration = try await services.start(
            "jobqueue-api", ["migrate"],
            environment: ["DATABASE_URL": database.url, "MIGRATIONS_DIR": TestDatabase.migrationsDirectory])
        let exit = try await migration.waitForExit(within: .seconds(30))
        guard exit == .code(0) else {
            throw UnexpectedAnswer(description: "jobqueue-api migrate: \(exit): \(migration.lines)")
        }
    }

    // MARK: Processes

    /// Starts an api that takes requests, or nothing until PostgreSQL is there.
    func startApi(
        port: UInt16 = FreePort.take(), _ environment: [String: String] = [:]
    ) async throws -> RunningApi {
        let own = [
            "API_HOST": "127.0.0.1", "API_PORT": "\(port)", "API_SECRET_KEY": Self.key, "API_THREADS": "1",
            "MIGRATIONS_DIR": TestDatabase.migrationsDirectory,
        ]
        let service = try await start("jobqueue-api", own, environment)
        return RunningApi(service: service, client: HTTPTestClient(port: port, key: Self.key))
    }

    /// Starts a worker; with `waiting`, returns when it has joined.
    func startWorker(
        _ name: String = "worker", _ environment: [String: String] = [:], waiting: Bool = true
    ) async throws -> ServiceProcess {
        let worker = try await start(
            "jobqueue-worker", ["WORKER_NAME": name, "WORKER_POLL_INTERVAL_SECONDS": "0.1"], environment)
        if waiting { try await worker.waitForLine(containing: "\"working\"", within: .seconds(30)) }
        return worker
    }

    /// Starts a reaper that looks for expired leases at least every second.
    func startReaper(_ environment: [String: String] = [:]) async throws -> ServiceProcess {
        try await start("jobqueue-reaper", ["REAPER_INTERVAL_SECONDS": "1"], environment)
    }

    private func start(
        _ program: String, _ own: [String: String], _ given: [String: String]
    ) async throws -> ServiceProcess {
        let environment = own.merging(["DATABASE_URL": database.url]) { $1 }.merging(given) { $1 }
        return try await services.start(program, environment: environment)
    }

    // MARK: What PostgreSQL says

    /// Runs a statement of the test's own, on a connection of its own.
    @discardableResult
    func sql(_ sql: String, _ parameters: Parameters = Parameters()) async throws -> Rows {
        try await TestLoop.run { [settings = database.settings] in
            let connection = try await DatabaseConnection.connect(settings, on: TestLoop.shared)
            defer { connection.close() }
            return try await connection.execute(sql: sql, parameters)
        }
    }

    /// The only column of the only row.
    func number(_ sql: String) async throws -> Int64 {
        try await self.sql(sql).onlyRow().int8(0)
    }

    /// The first column of each row.
    func texts(_ sql: String) async throws -> [String] {
        try await self.sql(sql).map { try $0.text(0) }
    }
}
