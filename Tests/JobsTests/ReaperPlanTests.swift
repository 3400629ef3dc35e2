import EventLoop
import Postgres
import Telemetry
import TestKit
import Testing
import Values

@testable import Jobs

/// The plans of the reaper's statements, as its sessions make them. The statistics of these tables are always wrong, so
/// no plan may depend on them: neither those of tables that were empty when they were vacuumed, nor those of full ones.
@Suite struct ReaperPlanTests {
    /// Prepares the statement as the pool does, and reads its generic plan.
    private func plan(
        _ statement: StatementDefinition, _ arguments: String, isRun: Bool = false, _ fixture: Fixture
    ) async throws -> String {
        try await fixture.hot.withConnection { connection in
            let types = statement.parameterTypes.map(\.description).joined(separator: ", ")
            let signature = types.isEmpty ? "" : "(\(types))"
            let call = arguments.isEmpty ? "" : "(\(arguments))"
            _ = try await connection.execute(sql: ["PREPARE p", signature, " AS ", statement.sql].joined())
            let options = isRun ? "(COSTS OFF, ANALYZE, TIMING OFF)" : "(COSTS OFF)"
            let rows = try await connection.execute(sql: ["EXPLAIN ", options, " EXECUTE p", call].joined())
            _ = try await connection.execute(sql: "DEALLOCATE p")
            return try rows.decode(as: String.self).joined(separator: "\n")
        }
    }

    /// Runs `body` with the statistics of empty tables, then with those of full ones, without changing what they hold.
    private func withEitherStatistics(
        _ body: @Sendable (Fixture) async throws -> Void
    ) async throws {
        try await Fixture.use { fixture in
            try await fixture.analyze(Self.tables)
            try await fill(fixture)
            try await body(fixture)
            try await fixture.analyze(Self.tables)
            try await body(fixture)
        }
    }

    private static let tables = [
        "job", "ready", "scheduled", "lease", "outcome", "attempt_error", "transition_delta", "transition_total",
        "subqueue", "worker",
    ]

    private func fill(_ fixture: Fixture) async throws {
        try await fixture.enqueue(3_000)
        try await fixture.enqueue(3_000) { $0.runAt = .now() + .seconds(3_600) }
        let ended = try await fixture.lease(1_000, seconds: 60).prefix(500).map { job in
            FinishedAttempt(lease: HeldLease(id: job.id, token: job.token), result: .succeeded(result: nil))
        }
        _ = try await fixture.jobs.finish(ended)
    }

    @Test func `the reclaim reads leases by block range and all else by key`() async throws {
        try await withEitherStatistics { fixture in
            let plan = try await plan(JobStore.reclaim.definition, "500", fixture)
            #expect(plan.contains("Tid Range Scan on lease"), "\(plan)")
            #expect(!plan.contains("Seq Scan"), "\(plan)")
            #expect(!plan.contains("Hash Join") && !plan.contains("Merge Join"), "\(plan)")
        }
    }

    @Test func `the promotion finds due jobs by an index`() async throws {
        try await withEitherStatistics { fixture in
            let plan = try await plan(JobStore.promote.definition, "1000, '-infinity'", fixture)
            #expect(plan.contains("Index Scan using scheduled_run_at on scheduled"), "\(plan)")
            #expect(plan.contains("Tid Scan on scheduled"), "\(plan)")
            #expect(!plan.contains("Seq Scan"), "\(plan)")
        }
    }

    @Test func `a rollup reads the deltas from its block on`() async throws {
        try await withEitherStatistics { fixture in
            let plan = try await plan(JobStore.rollUp.definition, "20000, 3", fixture)
            #expect(plan.contains("Tid Range Scan on transition_delta"), "\(plan)")
            #expect(!plan.contains("Seq Scan"), "\(plan)")
        }
    }

    @Test func `advancing a mark reads one row of ready for each subqueue`() async throws {
        try await withEitherStatistics { fixture in
            for (statement, arguments) in [
                (JobStore.advance.definition, "1000, '{1,2}'"), (JobStore.sweep.definition, ""),
            ] {
                let plan = try await plan(statement, arguments, fixture)
                #expect(plan.contains("Index Only Scan using ready_order on ready"), "\(plan)")
                #expect(!plan.contains("Seq Scan on ready"), "\(plan)")
            }
        }
    }

    @Test func `the removal reads the ended jobs in the order of their key, in old partitions only`() async throws {
        try await withEitherStatistics { fixture in
            let start = "0, '00000000-0000-0000-0000-000000000000', 1000, 24, 168, 24"
            let plan = try await plan(JobStore.remove.definition, start, isRun: true, fixture)
            #expect(!plan.contains("Seq Scan on outcome") && !plan.contains("Seq Scan on job"), "\(plan)")
            let today = try await fixture.sql("SELECT suffix FROM job_partition ORDER BY starts LIMIT 1").decodeOnly(
                as: String.self)
            let walks = plan.split(separator: "\n").filter { $0.contains("Index Only Scan using outcome_") }
            #expect(walks.contains { $0.contains("outcome_default_pkey") && !$0.contains("never executed") }, "\(plan)")
            #expect(walks.contains { $0.contains(today) && $0.contains("never executed") }, "\(plan)")
        }
    }
}
