import EventLoop
import JSON
import Postgres
import TestKit
import Testing

@testable import Pools

@Suite struct WorkloadLeaseTests {
    @Test func `only the owner acquires a workload, one holder at a time`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            #expect(
                try await fixture.members.acquire(Fixture.workloadNames, as: memberships[1], leaseSeconds: 30).map(
                    \.name
                )
                .sorted()
                    == ["b", "e"])
            let first = try await fixture.acquireAll(memberships[0])
            try await fixture.members.leave(memberships[0])
            _ = try await fixture.pools.rebalance()
            // It is assigned to 1, and held by 0.
            #expect(try await fixture.owners()[1]?.contains("a") == true)
            #expect(try await fixture.members.acquire(["a"], as: memberships[1], leaseSeconds: 30).isEmpty)
            let waiting = try await fixture.members.renew(memberships[1], [], leaseSeconds: 30)
            let entry = try #require(waiting.entries.first { $0.name == "a" })
            #expect(entry.isOwn && entry.heldToken == nil)
            #expect(try #require(entry.othersRemaining) > .seconds(20))
            #expect(try await fixture.pools.workloads(of: "swarm").first?.state == .moving)

            #expect(try await fixture.members.release([first[0]], ofPool: memberships[0].poolID) == 1)
            let second = try await fixture.members.acquire(["a"], as: memberships[1], leaseSeconds: 30)
            #expect(second.map(\.name) == ["a"] && second[0].token > first[0].token)
        }
    }

    @Test func `an expired workload is acquired by the next owner with a higher token`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            let first = try await fixture.acquireAll(memberships[0])
            try await fixture.expire(memberships[0])
            _ = try await fixture.pools.rebalance()
            let second = try await fixture.acquireAll(memberships[1])
            #expect(second.map(\.name) == ["a", "b", "e"])
            #expect(second.allSatisfy { lease in first.allSatisfy { $0.token < lease.token } })
        }
    }

    @Test func `an outdated token changes nothing`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            let old = try await fixture.acquireAll(memberships[0])
            try await fixture.expire(memberships[0])
            _ = try await fixture.pools.rebalance()
            let owner = try #require(try await fixture.pools.workloads(of: "swarm").first?.owner)
            _ = try await fixture.acquireAll(memberships[Int(owner)])
            let row = "SELECT w::text || xmin FROM pool_workload w WHERE name = 'a'"
            let before = try await fixture.sql(row).decodeOnly(as: String.self)

            #expect(try await fixture.members.renew(memberships[0], [old[0]], leaseSeconds: 300).renewed.isEmpty)
            #expect(try await fixture.members.release([old[0]], ofPool: memberships[0].poolID) == 0)
            let report = WorkloadReport(isRunning: true, restarts: 9, error: "stale")
            let answer = try await fixture.members.report([old[0]: report], ofPool: memberships[0].poolID)
            #expect(answer.stored == [] && answer.locked == [])
            #expect(try await fixture.members.acquire(["a"], as: memberships[0], leaseSeconds: 30).isEmpty)
            #expect(try await fixture.sql(row).decodeOnly(as: String.self) == before)
        }
    }

    @Test func `an expired lease that no other member acquired can be renewed`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            let leases = try await fixture.acquireAll(memberships[0])
            try await fixture.expire(memberships[0])
            let view = try await fixture.members.renew(memberships[0], leases, leaseSeconds: 30)
            #expect(view.isMember && view.renewed.sorted { $0.name < $1.name } == leases)
            #expect(try await fixture.pools.rebalance().changes.isEmpty)
        }
    }

    @Test func `a lost response is repaired by a new lease, and a released lease is not renewed`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            let first = try await fixture.acquireAll(memberships[0])
            let again = try await fixture.acquireAll(memberships[0])
            #expect(again.map(\.name) == first.map(\.name) && again[0].token > first[0].token)
            try await fixture.members.release(again, ofPool: memberships[0].poolID)
            #expect(try await fixture.members.renew(memberships[0], again, leaseSeconds: 30).renewed.isEmpty)
        }
    }

    @Test func `a former member acquires nothing`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            try await fixture.members.leave(memberships[0])
            #expect(try await fixture.members.acquire(["a"], as: memberships[0], leaseSeconds: 30).isEmpty)
            try await fixture.sql("UPDATE pool_member SET expires_at = clock_timestamp(), leaving = false")
            #expect(try await fixture.members.acquire(["b"], as: memberships[1], leaseSeconds: 30).isEmpty)
        }
    }

    @Test func `of two successive owners that race, only one acquires the workload`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            for round in 0..<20 {
                let owner = Int32(round % 3)
                try await fixture.sql("UPDATE pool_workload SET owner = \(owner), holder = NULL WHERE name = 'a'")
                async let moved: Void = {
                    _ = try await fixture.sql("UPDATE pool_workload SET owner = \((owner + 1) % 3) WHERE name = 'a'")
                }()
                let given = try await withThrowingTaskGroup(of: Int.self) { group in
                    for membership in memberships {
                        group.addTask(executorPreference: TestLoop.shared) {
                            try await fixture.members.acquire(["a"], as: membership, leaseSeconds: 30).count
                        }
                    }
                    return try await group.reduce(0, +)
                }
                try await moved
                #expect(given <= 1)
            }
        }
    }

    @Test func `a report of a workload that is locked at this instant is not lost`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            let id = memberships[0].poolID
            let leases = try await fixture.acquireAll(memberships[0])
            let report = WorkloadReport(isRunning: true, restarts: 0)
            let reports = [leases[0]: report, leases[1]: report]
            try await fixture.general.transaction { transaction in
                var parameters = Parameters()
                parameters.append(text: leases[0].name)
                // As a renewal does, for as long as its commit takes.
                _ = try await transaction.execute(
                    sql: "SELECT FROM pool_workload WHERE name = $1 FOR NO KEY UPDATE", parameters)
                let answer = try await fixture.members.report(reports, ofPool: id)
                #expect(answer.stored == [leases[1]] && answer.locked == [leases[0]])
            }
            #expect(try await fixture.members.report([leases[0]: report], ofPool: id).stored == [leases[0]])
            #expect(try await fixture.pools.workloadCounts().first { $0.state == .running }?.count == 2)
        }
    }

    @Test func `a report is shown while the lease lasts`() async throws {
        try await Fixture.use { fixture in
            let memberships = try await fixture.startPool()
            let id = memberships[0].poolID
            let lease = try await fixture.acquireAll(memberships[0])[0]
            func shown() async throws -> Workload { try await fixture.pools.workloads(of: "swarm")[0] }
            #expect(try await shown().state == .starting)
            try await fixture.members.report([lease: WorkloadReport(isRunning: true, restarts: 0)], ofPool: id)
            let running = try await shown()
            #expect(running.state == .running && running.startedAt != nil && running.lastError == nil)
            #expect(running.member == "swarm-worker-0" && running.holder == 0 && running.token == lease.token)
            let failed = WorkloadReport(isRunning: false, restarts: 1, error: "exit code 1: no route")
            try await fixture.members.report([lease: failed], ofPool: id)
            let waiting = try await shown()
            #expect(waiting.state == .backoff && waiting.restarts == 1 && waiting.startedAt == nil)
            #expect(waiting.lastError == "exit code 1: no route" && waiting.lastErrorAt != nil)
            try await fixture.members.report([lease: WorkloadReport(isRunning: true, restarts: 1)], ofPool: id)
            #expect(try await shown().lastError == "exit code 1: no route")
            let counts = try await fixture.pools.workloadCounts()
            #expect(counts.first { $0.state == .running }?.count == 1)
            #expect(counts.map(\.count).reduce(0, +) == 6)
            try await fixture.expire(memberships[0])
            #expect(try await shown().state == .waiting)
        }
    }
}
