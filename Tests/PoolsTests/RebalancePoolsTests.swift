import EventLoop
import Postgres
import TestKit
import Testing

@testable import Pools

@Suite struct RebalancePoolsTests {
    @Test func `workloads are assigned when the pool is complete, as one new version`() async throws {
        try await Fixture.use { fixture in
            try await fixture.configurePool()
            for ordinal in [0, 2] as [Int32] { _ = try await fixture.joinPool(ordinal) }
            #expect(try await fixture.pools.rebalance().changes.allSatisfy { $0.moved == 0 && $0.sharing == nil })
            #expect(try await fixture.owners() == [nil: Fixture.workloadNames])
            #expect(try await fixture.poolVersion() == 0)
            _ = try await fixture.joinPool(1)
            let changes = try await fixture.pools.rebalance().changes
            #expect(changes.map(\.moved) == [6] && changes.map(\.version) == [1])
            #expect(try await fixture.owners() == [0: ["a", "d"], 1: ["b", "e"], 2: ["c", "f"]])
            #expect(try await fixture.pools.rebalance().changes.isEmpty)
            #expect(try await fixture.pools.find("swarm")?.isComplete == true)
        }
    }

    @Test func `there is a maximum of pools, which removed ones do not reach`() async throws {
        try await Fixture.use { fixture in
            let pools = fixture.pools
            func configure(_ name: String) async throws -> Bool {
                try await pools.configure(
                    PoolSpec(name: name, size: 1, workloads: ["w"], handler: "h"), poolsMax: 2)
            }
            var answers: [Bool] = []
            for name in ["a", "b", "c", "b"] { answers.append(try await configure(name)) }
            #expect(answers == [true, true, false, true])
            // Its rows are not deleted yet.
            #expect(try await pools.remove("a"))
            answers = []
            for name in ["c", "a"] { answers.append(try await configure(name)) }
            #expect(answers == [true, false])
            #expect(try await pools.all().map(\.spec.name) == ["b", "c"])
        }
    }

    @Test func `a dead member is replaced after a second, and gets its workloads back`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            try await fixture.expireMembership(of: 1)
            // Whoever waits for the ordinal goes first.
            #expect(try await fixture.pools.rebalance().changes.isEmpty)
            try await fixture.expire(memberships[1])
            #expect(try await fixture.pools.rebalance().changes.map(\.moved) == [2])
            #expect(try await fixture.owners() == [0: ["a", "b", "d"], 2: ["c", "e", "f"]])
            _ = try await fixture.joinPool(1, 1)
            #expect(try await fixture.pools.rebalance().changes.map(\.moved) == [2])
            #expect(try await fixture.owners() == [0: ["a", "d"], 1: ["b", "e"], 2: ["c", "f"]])
            #expect(try await fixture.poolVersion() == 3)
        }
    }

    @Test func `a successor that joins within a second continues with the workloads`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.startPool()
            try await fixture.expireMembership(of: 1)
            _ = try await fixture.joinPool(1, 1)
            #expect(try await fixture.pools.rebalance().changes.isEmpty)
            #expect(try await fixture.poolVersion() == 1)
        }
    }

    @Test func `a leaving member gets no workloads`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            try await fixture.members.leave(memberships[0])
            _ = try await fixture.pools.rebalance()
            #expect(try await fixture.owners() == [1: ["a", "b", "e"], 2: ["c", "d", "f"]])
        }
    }

    @Test func `the version of a list is that of its own last change`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            try await fixture.configurePool(["a", "b", "c", "d", "e"])
            var lists = try await fixture.pools.lists(of: "swarm")
            #expect(lists.map(\.version) == [1, 1, 2])
            #expect(lists.map(\.workloads) == [["a", "d"], ["b", "e"], ["c"]])
            try await fixture.members.leave(memberships[2])
            _ = try await fixture.pools.rebalance()
            lists = try await fixture.pools.lists(of: "swarm")
            #expect(lists.map(\.version) == [3, 1, 3] || lists.map(\.version) == [1, 3, 3])
        }
    }

    @Test func `added and removed workloads do not move the others`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            let leases = try await fixture.acquireAll(memberships[0])
            #expect(leases.map(\.name) == ["a", "d"])
            try await fixture.configurePool(Fixture.workloadNames + ["g", "h"])
            #expect(try await fixture.owners() == [0: ["a", "d", "g"], 1: ["b", "e", "h"], 2: ["c", "f"]])
            try await fixture.configurePool(["b", "c", "e", "f"])
            #expect(try await fixture.owners() == [0: ["f"], 1: ["b", "e"], 2: ["c"]])
            // Removed workloads that are still held stay, hidden, until they have stopped.
            #expect(
                try await fixture.sql("SELECT count(*) FROM pool_workload WHERE removed").decodeOnly(as: Int64.self)
                    == 2)
            try await fixture.configurePool(["a", "b", "c", "e", "f"])
            #expect(try await fixture.pools.workloads(of: "swarm").first?.token == leases[0].token)
            try await fixture.configurePool([])
            try await fixture.members.release(leases, ofPool: memberships[0].poolID)
            _ = try await fixture.pools.rebalance()
            #expect(try await fixture.count("pool_workload") == 0)
            let version = try await fixture.poolVersion()
            try await fixture.configurePool([])
            #expect(try await fixture.poolVersion() == version)
        }
    }

    @Test func `a removed pool is deleted after its last workload, and a new one of its name waits for that`()
        async throws
    {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            let leases = try await fixture.acquireAll(memberships[0])
            #expect(try await fixture.pools.remove("swarm"))
            #expect(try await !fixture.pools.remove("swarm"))
            #expect(try await fixture.pools.find("swarm") == nil)
            let view = try await fixture.members.renew(memberships[0], leases, leaseSeconds: 30)
            #expect(!view.isMember && view.renewed == leases)

            try await fixture.configurePool(["a"], size: 1)
            let pool = try #require(try await fixture.pools.find("swarm"))
            #expect(pool.membership.completeSize == 1 && pool.version == 3)
            // The lease of the removed pool still blocks it.
            try await fixture.expire(
                Membership(poolID: memberships[0].poolID, ordinal: 9, incarnation: memberships[0].incarnation))
            let others = try await fixture.members.acquire(["a"], as: memberships[1], leaseSeconds: 30)
            #expect(others.isEmpty)

            #expect(try await fixture.pools.remove("swarm"))
            _ = try await fixture.pools.rebalance()
            #expect(try await fixture.count("pool") == 1)
            try await fixture.members.release(leases, ofPool: memberships[0].poolID)
            #expect(try await fixture.pools.rebalance().changes.map(\.isDeleted) == [true])
            #expect(try await fixture.count("pool_member") == 0)
        }
    }

    @Test func `concurrent rebalancing makes each change once, as one version`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            for round in 0..<5 {
                try await fixture.members.leave(memberships[round % 3])
                let moved = try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<8 {
                        group.addTask(executorPreference: TestLoop.shared) {
                            try await fixture.pools.rebalance().changes.reduce(0) { $0 + $1.moved }
                        }
                    }
                    return try await group.reduce(0, +)
                }
                #expect(moved == 2)
                try await fixture.members.deregister(memberships[round % 3])
                _ = try await fixture.joinPool(Int32(round % 3))
                _ = try await fixture.pools.rebalance()
            }
            #expect(try await fixture.poolVersion() == 11)
        }
    }

    @Test func `a pool of size auto has the members of the last ten seconds`() async throws {
        try await Fixture.use { fixture in
            try await fixture.configurePool(size: nil)
            for ordinal in [0, 1, 3] as [Int32] { _ = try await fixture.joinPool(ordinal) }
            _ = try await fixture.pools.rebalance()
            #expect(try await fixture.poolVersion() == 0)
            try await fixture.agePools(seconds: 10)
            #expect(try await fixture.pools.rebalance().changes.map(\.sharing) == [[0, 1]])
            let pool = try #require(try await fixture.pools.find("swarm"))
            #expect(pool.effectiveSize == 2 && pool.isComplete && pool.missing.isEmpty)
            #expect(pool.members.map { pool.state(of: $0) } == [.alive, .alive, .surplus])
            // A fixed size in its place counts at once.
            try await fixture.configurePool(size: 4)
            #expect(try await fixture.owners().keys.compactMap { $0 }.sorted() == [0, 1, 3])
        }
    }

    @Test func `after an outage nothing moves for half a minute`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            for membership in memberships { try await fixture.expire(membership) }
            _ = try await fixture.pools.rebalance()
            _ = try await fixture.joinPool(2, 1)
            _ = try await fixture.pools.rebalance()
            #expect(try await fixture.poolVersion() == 1)
            try await fixture.agePools(seconds: 31)
            #expect(try await fixture.pools.rebalance().changes.map(\.moved) == [4])
            #expect(try await fixture.owners() == [2: Fixture.workloadNames])
        }
    }
}
