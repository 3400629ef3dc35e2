import EventLoop
import Postgres
import TestKit
import Testing

@Suite struct ExecuteTests {
    @Test func `a prepared statement gives back what it was given`() async throws {
        let database = try await TestDatabase.empty()
        try await TestLoop.run {
            let connection = try await DatabaseConnection.connect(database.settings, on: TestLoop.shared)
            defer { connection.close() }
            let statement = Statement("double", "SELECT 2 * $1, current_setting('search_path')", [.int8])
            for number: Int64 in 1...3 {
                var parameters = Parameters()
                parameters.append(number)
                let row = try await connection.execute(statement, parameters).onlyRow()
                #expect(try row.int8(0) == 2 * number)
                #expect(try row.text(1) == "\"jobqueue\"")
            }
        }
    }
}

@Suite struct TestDatabaseTests {
    @Test func `a migrated database has every migration of the repository`() async throws {
        let files = try MigrationFile.readAll(in: TestDatabase.migrationsDirectory)
        let database = try await TestDatabase.migrated()
        let version = try await TestLoop.run {
            let connection = try await DatabaseConnection.connect(database.settings, on: TestLoop.shared)
            defer { connection.close() }
            return try await SchemaVersion.current { statement throws(PostgresError) in
                try await connection.execute(statement)
            }
        }
        #expect(version == files.last?.version)
    }
}
