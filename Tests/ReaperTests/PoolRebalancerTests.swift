import Pools
import Telemetry
import TestKit
import Testing

@testable import Reaper

@Suite struct PoolRebalancerTests {
    @Test func `it runs often while there is a pool, and logs the workloads that it moved`() async throws {
        try await Fixture.use { fixture in
            let log = CollectedLog()
            let balancer = PoolRebalancer(
                pools: fixture.members, logger: Logger(component: "reaper", level: .info, sink: log))
            #expect(try await balancer.runOnce().dueIn == nil)

            try await fixture.configurePool(["a", "b"], size: 1)
            let quiet = try await balancer.runOnce()
            #expect(quiet.dueIn == PoolRebalancer.busyInterval && !quiet.isNotable)
            try await fixture.joinPool(0)
            let report = try await balancer.runOnce()
            #expect(report.moved == 2 && report.isNotable)
            #expect(log.lines().count == 1 && log.lines()[0].contains(#""pool":"swarm","pool_version":1,"moved":2"#))

            #expect(try await fixture.pools.remove("swarm"))
            #expect(try await balancer.runOnce().removed == 0)
            #expect(try await fixture.pools.all().isEmpty)
        }
    }
}
