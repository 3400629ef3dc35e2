import EventLoop
import Postgres
import TestKit
import Testing

@testable import Pools

@Suite struct MembershipTests {
    @Test func `joining a pool that does not exist has its own result`() async throws {
        try await Fixture.use { fixture in
            let answer = try await fixture.members.join(Fixture.candidate(0), leaseSeconds: 30)
            #expect(answer == .noSuchPool)
        }
    }

    @Test func `of two workers with one ordinal, one joins, and the other gets the holder`() async throws {
        try await Fixture.use { fixture in
            try await fixture.configurePool()
            let first = try await fixture.joinPool(1)
            let answer = try await fixture.members.join(Fixture.candidate(1, 7), leaseSeconds: 30)
            guard case .taken(let other, "swarm-worker-1", let remaining) = answer else {
                Issue.record("\(answer)")
                return
            }
            #expect(other == first.incarnation && remaining > .seconds(25) && remaining <= .seconds(30))
            // To ask again, because the answer was lost, does no harm.
            #expect(try await fixture.joinPool(1) == first)

            try await fixture.expire(first)
            let second = try await fixture.joinPool(1, 7)
            #expect(second.incarnation != first.incarnation)
            let view = try await fixture.members.renew(first, [], leaseSeconds: 30)
            #expect(!view.isMember)
            try await fixture.members.deregister(first)
            #expect(try await fixture.members.renew(second, [], leaseSeconds: 30).isMember)
        }
    }

    @Test func `of many concurrent candidates for an ordinal, one joins`() async throws {
        try await Fixture.use { fixture in
            try await fixture.configurePool()
            let joined = try await withThrowingTaskGroup(of: Bool.self) { group in
                for boot in 0..<20 {
                    group.addTask(executorPreference: TestLoop.shared) {
                        let answer = try await fixture.members.join(
                            Fixture.candidate(0, UInt64(boot)), leaseSeconds: 30)
                        if case .joined = answer { return true } else { return false }
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(joined == 1)
        }
    }

    @Test func `a released ordinal is free at once`() async throws {
        try await Fixture.use { fixture in
            try await fixture.configurePool()
            let first = try await fixture.joinPool(0)
            try await fixture.members.deregister(first)
            _ = try await fixture.joinPool(0, 1)
        }
    }

    @Test func `a pool shows its members and its missing ordinals`() async throws {
        try await Fixture.use { fixture in
            try await fixture.configurePool()
            let leaving = try await fixture.joinPool(0)
            _ = try await fixture.joinPool(4)
            try await fixture.members.leave(leaving)
            let pool = try #require(try await fixture.pools.find("swarm"))
            #expect(pool.members.map(\.ordinal) == [0, 4] && pool.missing == [1, 2] && !pool.isComplete)
            #expect(pool.members.map { pool.state(of: $0) } == [.leaving, .surplus])
            #expect(
                pool.spec.workloads == Fixture.workloadNames && pool.spec.size == 3 && pool.spec.handler == "stream")
            #expect(try await fixture.pools.all() == [pool])
            #expect(try await fixture.pools.find("other") == nil)
        }
    }
}
