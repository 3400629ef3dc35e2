import Configuration
import EventLoop
import Glibc
import TestKit
import Testing

@testable import Postgres

@Suite struct AccessTests {
    private func access(_ variables: [String: String]) throws -> DatabaseAccess {
        var reader = SettingsReader(environment: ProcessEnvironment(variables))
        let access = DatabaseAccess(reading: &reader)
        try reader.finish()
        return access
    }

    /// Replaces a file by renaming a new one over it, like a Vault agent.
    private func write(_ text: String, to path: String) throws {
        let file = try #require(fopen("\(path).new", "w"))
        fputs(text, file)
        fclose(file)
        #expect(rename("\(path).new", path) == 0)
    }

    private func temporaryFile() throws -> String {
        var template = Array("/tmp/jobqueue-credentials-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        try #require(descriptor >= 0)
        close(descriptor)
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @Test func `the credentials file overrides the URL`() async throws {
        let file = try temporaryFile()
        defer { unlink(file) }
        try write("export PGUSER=\"v-1\"\nexport PGPASSWORD=\"pw-1\"\n", to: file)
        let source = DatabaseSource(
            try access([
                "DATABASE_URL": "postgresql+asyncpg://me:mine@db:6432/jobs", "DATABASE_CREDENTIALS_FILE": file,
            ]))
        let settings = try source.settings(schema: "jobqueue", applicationName: "test")
        let parameters = settings.parameters(credentials: nil)
        func value(_ keyword: String) -> [String] { parameters.filter { $0.keyword == keyword }.map(\.value) }
        #expect(value("user") == ["v-1"] && value("password") == ["pw-1"])
        #expect(value("host") == ["db"] && value("port") == ["6432"] && value("dbname") == ["jobs"])
        #expect(try await source.credentials() == DatabaseCredentials(user: "v-1", password: "pw-1"))
        #expect(!source.description.contains("mine") && !source.description.contains("pw-1"))
    }

    @Test func `connections opened after a rotation log in as the new user`() async throws {
        let database = try await TestDatabase.empty()
        try await withConnection(to: database) { connection in
            _ = try await connection.execute(sql: "DROP ROLE IF EXISTS rotated_login")
            _ = try await connection.execute(sql: "CREATE ROLE rotated_login LOGIN")
        }
        let file = try temporaryFile()
        defer { unlink(file) }
        try write("PGUSER=postgres\n", to: file)
        let source = DatabaseSource(
            try access(["DATABASE_URL": database.url, "DATABASE_CREDENTIALS_FILE": file]))
        let settings = try source.settings(schema: "jobqueue", applicationName: "test")
        try await TestLoop.run {
            let pool = ConnectionPool(
                settings, options: .init(size: 1), on: TestLoop.shared, credentials: source.credentials)
            defer { pool.close() }
            func user() async throws -> String {
                try await pool.execute(sql: "SELECT current_user::text").decodeOnly(as: String.self)
            }
            #expect(try await user() == "postgres")
            #expect(source.refresh() == .unchanged)
            try write("PGUSER=rotated_login\n", to: file)
            #expect(source.refresh() == .rotated)
            pool.retireAll()
            #expect(try await user() == "rotated_login")
        }
    }
}
