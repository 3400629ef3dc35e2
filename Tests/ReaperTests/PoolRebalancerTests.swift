import Pools
import Postgres
import Telemetry
import TestKit
import Testing
import Values

@testable import Reaper

@Suite struct PoolRebalancerTests {
    @Test func `it runs often while there is a pool, and logs the workloads that it moved`() async throws {
        let database = try await TestDatabase.migrated()
        try await TestLoop.run {
            let pool = ConnectionPool(database.settings, profile: .hot, options: .init(size: 2), on: TestLoop.shared)
            defer { pool.close() }
            let store = PoolStore(pool: pool)
            let log = CollectedLog()
            let rebalancer = PoolRebalancer(pools: store, logger: Logger(component: "reaper", level: .info, sink: log))
            #expect(try await rebalancer.runOnce().dueIn == nil)

            try await store.configure(PoolSpec(name: "swarm", size: 1, workloads: ["a", "b"], handler: "h"))
            let quiet = try await rebalancer.runOnce()
            #expect(quiet.dueIn == PoolRebalancer.busyInterval && !quiet.isNotable)
            let candidate = PoolCandidate(
                pool: "swarm", ordinal: 0, incarnation: UUID(high: 1, low: 1), name: "m", host: "h")
            _ = try await store.join(candidate, leaseSeconds: 30)
            let report = try await rebalancer.runOnce()
            #expect(report.moved == 2 && report.isNotable)
            #expect(log.lines().count == 1 && log.lines()[0].contains(#""pool":"swarm","pool_version":1,"moved":2"#))

            #expect(try await store.remove("swarm"))
            #expect(try await rebalancer.runOnce().removed == 0)
            #expect(try await store.all().isEmpty)
        }
    }
}
