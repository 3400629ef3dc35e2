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

    /// The variables by which a program finds it.
    public var environment: [String: String] { ["DATABASE_URL": url] }

    /// With the schema of the directory `Migrations`.
    public static func migrated() async throws -> TestDatabase {
        let server = try PostgresServer.shared
        return try await create(from: template.value, on: server)
    }

    /// An empty database.
    /// - Parameter server: nil: the shared one.
    public static func empty(on server: PostgresServer? = nil) async throws -> TestDatabase {
        try await create(from: "template0", on: server ?? PostgresServer.shared)
    }

    /// An empty database that cannot store all Unicode text.
    public static func latin1(on server: PostgresServer) async throws -> TestDatabase {
        try await create(from: "template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'", on: server)
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

    /// Applies the files of the directory `Migrations`.
    public func migrate() async throws {
        let files = try MigrationFile.readAll(in: Self.migrationsDirectory)
        try await TestLoop.run {
            _ = try await Migrator(settings: settings, files: files, on: TestLoop.shared).up()
        }
    }

    /// Sets a default of the database for new sessions, such as `DateStyle = 'German'`. Nothing of it keeps this from
    /// being undone.
    public func setDefault(_ setting: String) async throws {
        try await alter("SET \(setting)")
    }

    public func resetDefault(_ name: String) async throws {
        try await alter("RESET \(name)")
    }

    private func alter(_ change: String) async throws {
        try await TestDatabase.onAdminConnection(of: server) { connection in
            _ = try await connection.execute(sql: "ALTER DATABASE \(name) \(change)")
        }
    }

    // MARK: Statements of a test's own

    /// Runs a statement on a connection of its own: PostgreSQL may have been restarted since the last.
    @discardableResult
    public func sql(_ sql: String, _ parameters: Parameters = Parameters()) async throws -> Rows {
        try await TestLoop.run {
            let connection = try await DatabaseConnection.connect(settings, on: TestLoop.shared)
            defer { connection.close() }
            return try await connection.execute(sql: sql, parameters)
        }
    }

    /// Runs statements one after the other, on one connection.
    public func run(_ statements: String...) async throws {
        try await TestLoop.run {
            let connection = try await DatabaseConnection.connect(settings, on: TestLoop.shared)
            defer { connection.close() }
            for sql in statements { _ = try await connection.execute(sql: sql) }
        }
    }

    /// The only value of a query whose value is a whole number.
    public func integer(_ sql: String) async throws -> Int {
        Int(try await self.sql("SELECT (\(sql))::bigint").decodeOnly(as: Int64.self))
    }

    /// The number of rows of a table.
    public func count(_ table: String) async throws -> Int {
        try await integer("SELECT count(*) FROM \(table)")
    }

    /// The first column of each row.
    public func texts(_ sql: String) async throws -> [String] {
        try await self.sql(sql).decode(as: String.self)
    }

    // MARK: Creation

    private static let numbers = Mutex(0)

    /// Created with the first use; later uses wait for it.
    private static let template = Task { () async throws -> String in
        let database = try await empty()
        try await database.migrate()
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
