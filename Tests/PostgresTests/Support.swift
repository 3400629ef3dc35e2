import EventLoop
import Postgres
import Synchronization
import TestKit
import Testing

/// A database shared by tests that create temporary tables only.
private let commonDatabase = Task { try await TestDatabase.empty() }

/// Calls `body` with a connection to `database`, by default the shared one.
func withConnection<Value: Sendable>(
    to database: TestDatabase? = nil, _ body: @Sendable (DatabaseConnection) async throws -> Value
) async throws -> Value {
    let common = try await commonDatabase.value
    let settings = (database ?? common).settings
    return try await TestLoop.run {
        let connection = try await DatabaseConnection.connect(settings, on: TestLoop.shared)
        defer { connection.close() }
        return try await body(connection)
    }
}

/// Calls `body` with a connection to an empty database through a proxy.
func withProxiedConnection(
    _ body: @Sendable (DatabaseConnection, FaultyProxy) async throws -> Void
) async throws {
    let database = try await TestDatabase.empty()
    try await TestLoop.run {
        let proxy = try FaultyProxy(to: .loopback(port: database.server.port))
        defer { proxy.close() }
        let url = database.server.tcpURL(database: database.name, port: proxy.port)
        let connection = try await DatabaseConnection.connect(DatabaseSettings(url: url), on: TestLoop.shared)
        defer { connection.close() }
        try await body(connection, proxy)
    }
}

/// The result of `body`, for concurrent calls by `async let`.
func outcome<Value: Sendable>(
    _ body: @Sendable () async throws -> Value
) async -> Result<Value, PostgresError> {
    do {
        return .success(try await body())
    } catch {
        return .failure(error as? PostgresError ?? .misuse("not of this module: \(error)"))
    }
}

extension Result where Success == Rows, Failure == PostgresError {
    /// The only value.
    func number() throws -> Int64 {
        try get().decodeOnly()
    }
}

extension Result where Failure == PostgresError {
    var error: PostgresError? {
        if case .failure(let error) = self { error } else { nil }
    }
}

extension DatabaseConnection {
    /// The only value of a query.
    func number(_ sql: String) async throws -> Int64 {
        try await execute(sql: sql).decodeOnly(as: Int64.self)
    }
}

/// A flag that asks tasks to end.
final class StopSign: Sendable {
    private let flag = Atomic(false)

    var isUp: Bool { flag.load(ordering: .relaxed) }

    func raise() {
        flag.store(true, ordering: .relaxed)
    }
}
