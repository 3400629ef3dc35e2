import Configuration
import Postgres
import Telemetry
import Testing
import Values

@testable import Service

/// The settings that every program has.
@Suite struct SettingsTests {
    private func log(_ variables: [String: String]) -> (LogSettings, [ConfigurationProblem]) {
        var reader = SettingsReader(environment: ProcessEnvironment(variables))
        let settings = LogSettings(reading: &reader)
        return (settings, reader.problems)
    }

    private func sessions(_ variables: [String: String]) -> (SessionSettings, [ConfigurationProblem]) {
        let all = ["DATABASE_URL": "postgresql://localhost/jobs"].merging(variables) { $1 }
        var reader = SettingsReader(environment: ProcessEnvironment(all))
        let settings = SessionSettings(
            reading: &reader, applicationName: "test", poolSize: .init(default: 4, in: 3...100, help: "Connections."))
        return (settings, reader.problems)
    }

    @Test func `the log has its level and its format`() {
        #expect(log([:]).0.level == .info && log([:]).0.format == .json)
        let (settings, problems) = log(["LOG_LEVEL": "debug", "LOG_FORMAT": "console"])
        #expect(problems.isEmpty && settings.level == .debug && settings.format != .json)
        #expect(log(["LOG_LEVEL": "loud", "LOG_FORMAT": "xml"]).1.map(\.setting) == ["LOG_LEVEL", "LOG_FORMAT"])
    }

    @Test func `sessions have a schema, a name and a number`() {
        let (settings, problems) = sessions([:])
        #expect(problems.isEmpty)
        #expect(settings.schema == "jobqueue" && settings.poolSize == 4)
        #expect(settings.database.applicationName == "test")
        let other = sessions(["DATABASE_SCHEMA": "other_1", "DATABASE_POOL_SIZE": "7"]).0
        #expect(other.schema == "other_1" && other.poolSize == 7)
    }

    @Test(arguments: [
        ("DATABASE_SCHEMA", "a b"), ("DATABASE_SCHEMA", "1a"), ("DATABASE_SCHEMA", String(repeating: "a", count: 49)),
        ("DATABASE_POOL_SIZE", "2"), ("DATABASE_URL", "postgresql://db/jobs?sslmodee=require"),
    ])
    func `a wrong value is one problem that names the variable`(name: String, value: String) {
        #expect(sessions([name: value]).1.map(\.setting) == [name])
    }

    @Test func `a command logs warnings and errors for people`() {
        let record = LogRecord(
            instant: .now(), level: .warning, component: "api", message: "it is late", fields: ["count": 3])
        #expect(
            StandardErrorLog(name: "jobqueue-api migrate").line(record)
                == "jobqueue-api migrate: warning: it is late (count: 3)\n")
    }
}
