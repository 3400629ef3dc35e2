import EventLoop
import Postgres
import TestKit
import Testing

@testable import Pools

@Suite struct BalancePoolsTests {
    @Test func `workloads are assigned when the pool is complete, as one new version`() async throws {
        try await Scene.use { scene in
            try await scene.configure()
            for ordinal in [0, 2] as [Int32] { _ = try await scene.join(ordinal) }
            #expect(try await scene.pools.balance().changes.allSatisfy { $0.moved == 0 && $0.sharing == nil })
            #expect(try await scene.owners() == [nil: Scene.names])
            #expect(try await scene.version() == 0)
            _ = try await scene.join(1)
            let changes = try await scene.pools.balance().changes
            #expect(changes.map(\.moved) == [6] && changes.map(\.version) == [1])
            #expect(try await scene.owners() == [0: ["a", "d"], 1: ["b", "e"], 2: ["c", "f"]])
            #expect(try await scene.pools.balance().changes.isEmpty)
            #expect(try await scene.pools.find("swarm")?.isComplete == true)
        }
    }

    @Test func `who dies is done without after a second, and comes back to what it had`() async throws {
        try await Scene.use { scene in
            let memberships = try await scene.start()
            try await scene.sql("UPDATE pool_member SET expires_at = clock_timestamp() WHERE ordinal = 1")
            // Whoever waits for the ordinal goes first.
            #expect(try await scene.pools.balance().changes.isEmpty)
            try await scene.expire(memberships[1])
            #expect(try await scene.pools.balance().changes.map(\.moved) == [2])
            #expect(try await scene.owners() == [0: ["a", "b", "d"], 2: ["c", "e", "f"]])
            _ = try await scene.join(1, 1)
            #expect(try await scene.pools.balance().changes.map(\.moved) == [2])
            #expect(try await scene.owners() == [0: ["a", "d"], 1: ["b", "e"], 2: ["c", "f"]])
            #expect(try await scene.version() == 3)
        }
    }

    @Test func `a successor that joins in time has everything as it was`() async throws {
        try await Scene.use { scene in
            _ = try await scene.start()
            try await scene.sql("UPDATE pool_member SET expires_at = clock_timestamp() WHERE ordinal = 1")
            _ = try await scene.join(1, 1)
            #expect(try await scene.pools.balance().changes.isEmpty)
            #expect(try await scene.version() == 1)
        }
    }

    @Test func `who leaves is given nothing more from that moment on`() async throws {
        try await Scene.use { scene in
            let memberships = try await scene.start()
            try await scene.members.leave(memberships[0])
            _ = try await scene.pools.balance()
            #expect(try await scene.owners() == [1: ["a", "b", "e"], 2: ["c", "d", "f"]])
        }
    }

    @Test func `a list has the version of its own last change`() async throws {
        try await Scene.use { scene in
            let memberships = try await scene.start()
            try await scene.configure(["a", "b", "c", "d", "e"])
            var lists = try await scene.pools.lists(of: "swarm")
            #expect(lists.map(\.version) == [1, 1, 2])
            #expect(lists.map(\.workloads) == [["a", "d"], ["b", "e"], ["c"]])
            try await scene.members.leave(memberships[2])
            _ = try await scene.pools.balance()
            lists = try await scene.pools.lists(of: "swarm")
            #expect(lists.map(\.version) == [3, 1, 3] || lists.map(\.version) == [1, 3, 3])
        }
    }

    @Test func `more workloads, fewer, and none: only what is new or gone moves`() async throws {
        try await Scene.use { scene in
            let memberships = try await scene.start()
            let leases = try await scene.takeAll(memberships[0])
            #expect(leases.map(\.name) == ["a", "d"])
            try await scene.configure(Scene.names + ["g", "h"])
            #expect(try await scene.owners() == [0: ["a", "d", "g"], 1: ["b", "e", "h"], 2: ["c", "f"]])
            try await scene.configure(["b", "c", "e", "f"])
            #expect(try await scene.owners() == [0: ["f"], 1: ["b", "e"], 2: ["c"]])
            // What is still held stays, unseen, until it has stopped.
            #expect(try await scene.sql("SELECT count(*) FROM pool_workload WHERE removed").onlyRow().int8(0) == 2)
            try await scene.configure(["a", "b", "c", "e", "f"])
            #expect(try await scene.pools.workloads(of: "swarm").first?.token == leases[0].token)
            try await scene.configure([])
            try await scene.members.release(leases, ofPool: memberships[0].poolID)
            _ = try await scene.pools.balance()
            #expect(try await scene.sql("SELECT count(*) FROM pool_workload").onlyRow().int8(0) == 0)
            let version = try await scene.version()
            try await scene.configure([])
            #expect(try await scene.version() == version)
        }
    }

    @Test func `a pool goes when its last workload has stopped, and one that is made anew waits for that`() async throws
    {
        try await Scene.use { scene in
            let memberships = try await scene.start()
            let leases = try await scene.takeAll(memberships[0])
            #expect(try await scene.pools.remove("swarm"))
            #expect(try await !scene.pools.remove("swarm"))
            #expect(try await scene.pools.find("swarm") == nil)
            let view = try await scene.members.renew(memberships[0], leases, leaseSeconds: 30)
            #expect(!view.isMember && view.renewed == leases)

            try await scene.configure(["a"], size: 1)
            let pool = try #require(try await scene.pools.find("swarm"))
            #expect(pool.quorum.settled == 1 && pool.version == 3)
            // The lease of before is in its way.
            try await scene.expire(
                Membership(poolID: memberships[0].poolID, ordinal: 9, incarnation: memberships[0].incarnation))
            let others = try await scene.members.acquire(["a"], as: memberships[1], leaseSeconds: 30)
            #expect(others.isEmpty)

            #expect(try await scene.pools.remove("swarm"))
            _ = try await scene.pools.balance()
            #expect(try await scene.sql("SELECT count(*) FROM pool").onlyRow().int8(0) == 1)
            try await scene.members.release(leases, ofPool: memberships[0].poolID)
            #expect(try await scene.pools.balance().changes.map(\.isGone) == [true])
            #expect(try await scene.sql("SELECT count(*) FROM pool_member").onlyRow().int8(0) == 0)
        }
    }

    @Test func `many balance at once: each change is made once, and is one version`() async throws {
        try await Scene.use { scene in
            let memberships = try await scene.start()
            for round in 0..<5 {
                try await scene.members.leave(memberships[round % 3])
                let moved = try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<8 {
                        group.addTask(executorPreference: TestLoop.shared) {
                            try await scene.pools.balance().changes.reduce(0) { $0 + $1.moved }
                        }
                    }
                    return try await group.reduce(0, +)
                }
                #expect(moved == 2)
                try await scene.members.depart(memberships[round % 3])
                _ = try await scene.join(Int32(round % 3))
                _ = try await scene.pools.balance()
            }
            #expect(try await scene.version() == 11)
        }
    }

    @Test func `of the size auto are those who have been there for ten seconds`() async throws {
        try await Scene.use { scene in
            try await scene.configure(size: nil)
            for ordinal in [0, 1, 3] as [Int32] { _ = try await scene.join(ordinal) }
            _ = try await scene.pools.balance()
            #expect(try await scene.version() == 0)
            try await scene.sql("UPDATE pool SET observed_since = observed_since - interval '10 s'")
            #expect(try await scene.pools.balance().changes.map(\.sharing) == [[0, 1]])
            let pool = try #require(try await scene.pools.find("swarm"))
            #expect(pool.effectiveSize == 2 && pool.isComplete && pool.missing.isEmpty)
            #expect(pool.members.map { pool.state(of: $0) } == [.alive, .alive, .surplus])
            // A fixed size in its place counts at once.
            try await scene.configure(size: 4)
            #expect(try await scene.owners().keys.compactMap { $0 }.sorted() == [0, 1, 3])
        }
    }

    @Test func `after an outage nothing moves for half a minute`() async throws {
        try await Scene.use { scene in
            let memberships = try await scene.start()
            for membership in memberships { try await scene.expire(membership) }
            _ = try await scene.pools.balance()
            _ = try await scene.join(2, 1)
            _ = try await scene.pools.balance()
            #expect(try await scene.version() == 1)
            try await scene.sql("UPDATE pool SET observed_since = observed_since - interval '31 s'")
            #expect(try await scene.pools.balance().changes.map(\.moved) == [4])
            #expect(try await scene.owners() == [2: Scene.names])
        }
    }
}
