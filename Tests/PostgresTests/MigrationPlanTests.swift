import Telemetry
import Testing
import Values

@testable import Postgres

@Suite struct MigrationPlanTests {
    private func available(_ version: Int32, _ checksum: UInt8) -> MigrationPlan.Available {
        MigrationPlan.Available(
            file: MigrationFile(version: version, name: "step", sql: ""), checksum: [checksum])
    }

    private func applied(_ version: Int32, _ checksum: UInt8) -> MigrationPlan.Applied {
        MigrationPlan.Applied(
            version: version, name: "step", checksum: [checksum], appliedAt: WallInstant(microseconds: 0))
    }

    private func conflicts(_ files: [MigrationPlan.Available], _ rows: [MigrationPlan.Applied]) -> [MigrationPlan
        .Conflict]
    {
        do throws(MigrationError) {
            _ = try MigrationPlan(available: files, applied: rows)
            return []
        } catch {
            if case .refused(let conflicts) = error { return conflicts }
            return []
        }
    }

    @Test func `migrations that the database lacks are pending, in order`() throws {
        let plan = try MigrationPlan(
            available: [available(3, 3), available(1, 1), available(2, 2)], applied: [applied(1, 1)])
        #expect(plan.pending.map(\.file.version) == [2, 3])
        #expect(plan.applied.map(\.version) == [1])
    }

    @Test func `all migrations are pending for an empty database, and none for a current one`() throws {
        #expect(try MigrationPlan(available: [available(1, 1)], applied: []).pending.count == 1)
        #expect(try MigrationPlan(available: [available(1, 1)], applied: [applied(1, 1)]).pending.isEmpty)
    }

    @Test func `all conflicts are reported at once`() {
        let files = [available(1, 9), available(3, 3), available(5, 5)]
        let rows = [applied(1, 1), applied(2, 2), applied(5, 5), applied(7, 7)]
        #expect(
            conflicts(files, rows) == [
                .changed(file: "0001_step.sql"), .missing(version: 2, name: "step"),
                .newer(version: 7, name: "step", latestFile: 5), .late(file: "0003_step.sql", latestApplied: 7),
            ])
    }

    @Test func `conflicts have a description with the remedy`() {
        let texts = conflicts([available(1, 9)], [applied(1, 1), applied(2, 2)]).map(\.description)
        #expect(
            texts == [
                "0001_step.sql was changed after it was applied; add a new migration instead",
                "the database is at migration 2 (step), newer than this release, which ends at 1",
            ])
    }

    @Test func `a process accepts its schema version and newer ones`() {
        #expect(SchemaVersion.obstacle(current: 4, expected: 4) == nil)
        #expect(SchemaVersion.obstacle(current: nil, expected: 4)?.contains("migrate up") == true)
        #expect(SchemaVersion.obstacle(current: 3, expected: 4)?.contains("migrate up") == true)
        // During a rollout the schema is newer than the processes of the previous release.
        #expect(SchemaVersion.obstacle(current: 5, expected: 4) == nil)
        #expect(SchemaVersion.lead(current: 5, expected: 4)?.contains("newer") == true)
        #expect(SchemaVersion.lead(current: 4, expected: 4) == nil)
    }
}
