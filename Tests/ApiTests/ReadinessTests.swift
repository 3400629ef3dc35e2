import Postgres
import Testing

@testable import Api

@Suite struct ReadinessTests {
    @Test func `the schema of this release is accepted, and a newer one too`() {
        for version in [SchemaVersion.required, SchemaVersion.required + 1] {
            #expect(
                Readiness.judge(schemaVersion: version) == .ready(schemaVersion: version, allIsPaused: false))
        }
    }

    @Test func `an older schema, or none, is reported with what to do`() {
        for version in [nil, SchemaVersion.required - 1] {
            guard case .unready(let reason) = Readiness.judge(schemaVersion: version) else {
                Issue.record("ready with \(String(describing: version))")
                continue
            }
            #expect(reason.contains("jobqueue-api migrate up"))
        }
    }

    @Test func `the schema that this release needs is the one that its migrations create`() throws {
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        let files = try MigrationFile.readAll(in: "\(root)/Migrations")
        #expect(files.last?.version == SchemaVersion.required)
    }
}
