import Configuration
import Jobs
import Service
import Telemetry
import Testing

@testable import Reaper

@Suite struct ReaperSettingsTests {
    private func read(_ variables: [String: String]) -> (ReaperSettings, [ConfigurationProblem]) {
        let url = ["DATABASE_URL": "postgresql://localhost/jobs"]
        var reader = SettingsReader(environment: ProcessEnvironment(url.merging(variables) { $1 }))
        let settings = ReaperSettings(reading: &reader)
        return (settings, reader.problems)
    }

    @Test func `with only a database every setting has its default`() {
        let (settings, problems) = read([:])
        #expect(problems.isEmpty)
        #expect(settings.reclaimInterval == .seconds(60))
        #expect(settings.promoteInterval == .milliseconds(100))
        #expect(settings.retention.succeededHours == 24)
        #expect(settings.retention.failedHours == 168)
        #expect(settings.retention.cancelledHours == 24)
        #expect(settings.sessions.schema == "jobqueue")
    }

    @Test func `a configured value overrides the default`() {
        let (settings, problems) = read([
            "REAPER_INTERVAL_SECONDS": "5", "REAPER_PROMOTE_INTERVAL_SECONDS": "0.5", "RETENTION_FAILED_HOURS": "1000",
            "RETENTION_SUCCEEDED_HOURS": "1", "RETENTION_CANCELLED_HOURS": "2", "RETENTION_INTERVAL_SECONDS": "60",
            "DATABASE_SCHEMA": "other_one", "LOG_LEVEL": "debug", "LOG_FORMAT": "console",
        ])
        #expect(problems.isEmpty)
        #expect(settings.reclaimInterval == .seconds(5))
        #expect(settings.promoteInterval == .milliseconds(500))
        #expect(settings.retentionInterval == .seconds(60))
        #expect(settings.retention.failedHours == 1_000)
        #expect(settings.retention.longestHours == 1_000)
        #expect(settings.retention.partitionDays == 10)
        #expect(settings.sessions.schema == "other_one")
        #expect(settings.log.level == .debug && settings.log.format != .json)
    }

    @Test(arguments: [
        ("REAPER_INTERVAL_SECONDS", "0"), ("REAPER_INTERVAL_SECONDS", "soon"), ("REAPER_INTERVAL_SECONDS", "-1"),
        ("REAPER_PROMOTE_INTERVAL_SECONDS", "0.001"), ("RETENTION_FAILED_HOURS", "0"),
        ("RETENTION_SUCCEEDED_HOURS", "1.5"), ("DATABASE_POOL_SIZE", "2"), ("DATABASE_SCHEMA", "a b"),
        ("DATABASE_SCHEMA", "1a"), ("LOG_LEVEL", "loud"), ("LOG_FORMAT", "xml"),
    ])
    func `an invalid value is a problem that names the variable`(name: String, value: String) {
        let (_, problems) = read([name: value])
        #expect(problems.map(\.setting) == [name])
    }
}
