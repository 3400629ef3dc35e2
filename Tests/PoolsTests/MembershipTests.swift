import EventLoop
import Postgres
import TestKit
import Testing

@testable import Pools

@Suite struct MembershipTests {
    @Test func `a pool that does not exist has no members`() async throws {
        try await Scene.use { scene in
            let answer = try await scene.members.join(Scene.candidate(0), leaseSeconds: 30)
            #expect(answer == .noSuchPool)
        }
    }

    @Test func `of two with the same ordinal one is the member, and the other hears of whom it waits for`() async throws
    {
        try await Scene.use { scene in
            try await scene.configure()
            let first = try await scene.join(1)
            let answer = try await scene.members.join(Scene.candidate(1, 7), leaseSeconds: 30)
            guard case .taken(let other, "swarm-worker-1", let remaining) = answer else {
                Issue.record("\(answer)")
                return
            }
            #expect(other == first.incarnation && remaining > .seconds(25) && remaining <= .seconds(30))
            // To ask again, because the answer was lost, does no harm.
            #expect(try await scene.join(1) == first)

            try await scene.expire(first)
            let second = try await scene.join(1, 7)
            #expect(second.incarnation != first.incarnation)
            let view = try await scene.members.renew(first, [], leaseSeconds: 30)
            #expect(!view.isMember)
            try await scene.members.depart(first)
            #expect(try await scene.members.renew(second, [], leaseSeconds: 30).isMember)
        }
    }

    @Test func `of many who ask for one ordinal at once one has it`() async throws {
        try await Scene.use { scene in
            try await scene.configure()
            let joined = try await withThrowingTaskGroup(of: Bool.self) { group in
                for boot in 0..<20 {
                    group.addTask(executorPreference: TestLoop.shared) {
                        let answer = try await scene.members.join(Scene.candidate(0, UInt64(boot)), leaseSeconds: 30)
                        if case .joined = answer { return true } else { return false }
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(joined == 1)
        }
    }

    @Test func `an ordinal that was given back is free at once`() async throws {
        try await Scene.use { scene in
            try await scene.configure()
            let first = try await scene.join(0)
            try await scene.members.depart(first)
            _ = try await scene.join(0, 1)
        }
    }

    @Test func `what is seen of a pool names who is there, and who is missing`() async throws {
        try await Scene.use { scene in
            try await scene.configure()
            let leaving = try await scene.join(0)
            _ = try await scene.join(4)
            try await scene.members.leave(leaving)
            let pool = try #require(try await scene.pools.find("swarm"))
            #expect(pool.members.map(\.ordinal) == [0, 4] && pool.missing == [1, 2] && !pool.isComplete)
            #expect(pool.members.map { pool.state(of: $0) } == [.leaving, .surplus])
            #expect(pool.spec.workloads == Scene.names && pool.spec.size == 3 && pool.spec.handler == "stream")
            #expect(try await scene.pools.all() == [pool])
            #expect(try await scene.pools.find("other") == nil)
        }
    }
}
