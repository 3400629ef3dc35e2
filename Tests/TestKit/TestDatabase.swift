public import Postgres
internal import Synchronization

/// The database of one test or suite on the shared server.
///
/// `migrated()` copies a migrated template database, which takes tens of milliseconds.
public struct TestDatabase: Sendable {
    public let name: String
    public let server: PostgresServer

    /// The URL with the Unix socket.
    public var url: String { server.url(database: name) }

    /// Settings for `DatabaseConnection` and `ConnectionPool`.
    public var settings: DatabaseSettings {
        do {
            return try DatabaseSettings(url: url)
        } catch {
            fatalError("\(url) \(error)")
        }
    }

    /// A database with the schema of the directory `Migrations`.
    public static func migrated() async throws -> TestDatabase {
        let server = try PostgresServer.shared
        return try await create(from: template.value, on: server)
    }

    /// An empty database.
    /// - Parameter server: nil: the shared one.
    public static func empty(on server: PostgresServer? = nil) async throws -> TestDatabase {
        try await create(from: "template0", on: server ?? PostgresServer.shared)
    }

    /// The directory `Migrations` of this repository.
    public static let migrationsDirectory: String = {
        let path = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        return path.joined(separator: "/") + "/Migrations"
    }()

    /// Terminates every session on the database.
    /// - Returns: their number.
    @discardableResult
    public func terminateSessions() async throws -> Int {
        var parameters = Parameters()
        parameters.append(text: name)
        return try await TestDatabase.onAdminConnection(of: server) { [parameters] connection in
            try await connection.execute(
                sql: "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", parameters
            ).count
        }
    }

    private static let numbers = Mutex(0)

    /// Created with the first use; later uses wait for it.
    private static let template = Task { () async throws -> String in
        let database = try await empty()
        let files = try MigrationFile.readAll(in: migrationsDirectory)
        try await TestLoop.run {
            _ = try await Migrator(settings: database.settings, files: files, on: TestLoop.shared).up()
        }
        return database.name
    }

    private static func create(from template: String, on server: PostgresServer) async throws -> TestDatabase {
        let number = numbers.withLock { number in
            number += 1
            return number
        }
        let name = "test_\(number)"
        try await onAdminConnection(of: server) { connection in
            _ = try await connection.execute(
                sql: "CREATE DATABASE \(name) TEMPLATE \(template)", timeout: .seconds(60))
        }
        return TestDatabase(name: name, server: server)
    }

    private static func onAdminConnection<Value: Sendable>(
        of server: PostgresServer, _ body: @escaping @Sendable (DatabaseConnection) async throws -> Value
    ) async throws -> Value {
        let settings = try DatabaseSettings(url: server.url(database: "postgres"))
        return try await TestLoop.run {
            let connection = try await DatabaseConnection.connect(settings, on: TestLoop.shared)
            defer { connection.close() }
            return try await body(connection)
        }
    }
}
