import Postgres
import TestKit
import Testing

@testable import Pools

/// The plans of the statements that members and rebalancing processes execute several times a second, in sessions like
/// theirs: rows are found by key, with any statistics.
@Suite struct PoolPlanTests {
    private func plan(
        _ statement: StatementDefinition, _ arguments: String, in pool: ConnectionPool
    ) async throws -> String {
        try await pool.withConnection { connection in
            let types = statement.parameterTypes.map(\.description).joined(separator: ", ")
            _ = try await connection.execute(sql: ["PREPARE p (", types, ") AS ", statement.sql].joined())
            let rows = try await connection.execute(sql: ["EXPLAIN (COSTS OFF) EXECUTE p (", arguments, ")"].joined())
            _ = try await connection.execute(sql: "DEALLOCATE p")
            return try rows.decode(as: String.self).joined(separator: "\n")
        }
    }

    private func withEitherStatistics(_ body: @Sendable (Fixture) async throws -> Void) async throws {
        try await Fixture.use { fixture in
            let tables = ["pool", "pool_member", "pool_workload"]
            try await fixture.analyze(tables)
            try await fixture.sql(
                """
                INSERT INTO pool (name, size, handler, observed_since, created_at, updated_at)
                SELECT 'pool' || i, 10, 'h', clock_timestamp(), clock_timestamp(), clock_timestamp()
                FROM generate_series(1, 50) i
                """)
            try await fixture.sql(
                """
                INSERT INTO pool_member (pool_id, ordinal, name, host, incarnation, joined_at, expires_at)
                SELECT p.id, i, 'm', 'h', gen_random_uuid(), clock_timestamp(), clock_timestamp()
                FROM pool p, generate_series(0, 9) i
                """)
            try await fixture.sql(
                """
                INSERT INTO pool_workload (pool_id, name, owner, holder, holder_ordinal, expires_at, state)
                SELECT p.id, 'w' || i, i % 10, gen_random_uuid(), i % 10, clock_timestamp(), 'running'
                FROM pool p, generate_series(1, 100) i
                """)
            try await body(fixture)
            try await fixture.analyze(tables)
            try await body(fixture)
        }
    }

    @Test func `the statements of a member find rows by key`() async throws {
        let member = "1, 2, '0190163d-8694-739b-aea5-966c26f8ad91'"
        try await withEitherStatistics { fixture in
            for (statement, arguments) in [
                (PoolStore.renewWorkloads.definition, "1, '{a}', '{1}', 30"),
                (PoolStore.renewUnlockedWorkloads.definition, "1, '{a}', '{1}', 30"),
                (PoolStore.renewMember.definition, "\(member), 30, 10"),
                (PoolStore.view.definition, member), (PoolStore.acquire.definition, "\(member), '{a}', 30"),
                (PoolStore.release.definition, "1, '{a}', '{1}'"),
                (PoolStore.report.definition, "1, '{a}', '{1}', '{t}', '{1}', '{}'"),
            ] {
                let plan = try await plan(statement, arguments, in: fixture.hot)
                #expect(plan.contains("Index Scan using pool_"), "\(plan)")
                #expect(!plan.contains("Seq Scan"), "\(plan)")
            }
            let view = try await plan(PoolStore.view.definition, member, in: fixture.hot)
            #expect(view.contains("pool_workload_owner") && view.contains("pool_workload_holder"), "\(view)")
        }
    }

    @Test func `the scan of the pools has a valid plan and counts them`() async throws {
        try await withEitherStatistics { fixture in
            _ = try await plan(PoolStore.scan.definition, "1", in: fixture.general)
            #expect(try await fixture.pools.pending().count == 50)
        }
    }
}
