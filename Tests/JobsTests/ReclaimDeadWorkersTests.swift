import Jobs
import Postgres
import TestKit
import Testing
import Values
import Workers

/// The leases of workers that are considered dead.
@Suite struct ReclaimDeadWorkersTests {
    /// Joins a worker that has handlers for all types.
    private func join(_ fixture: Fixture, keeping keptTypes: [String] = []) async throws -> Int64 {
        let incarnation = UUID(high: .random(in: 0...UInt64.max), low: 1)
        return try await fixture.workers.join(
            WorkerDescription(
                incarnation: incarnation, name: "w", host: "h", version: "1", queues: nil, keptTypes: keptTypes,
                concurrency: 10))
    }

    private func die(_ fixture: Fixture, _ worker: Int64) async throws {
        try await fixture.expireWorker(worker)
        #expect(try await fixture.workers.deregisterDead(atMost: 10).map(\.id) == [worker])
    }

    @Test func `the leases of a dead worker are reclaimed long before their end, those of others stay`() async throws {
        try await Fixture.use { fixture in
            let dead = try await join(fixture)
            let live = try await join(fixture)
            let ids = try await fixture.enqueue(3) { $0.backoff = .none }
            let lost = try await fixture.lease(2, worker: dead, seconds: 300)
            try await fixture.lease(1, worker: live, seconds: 300)
            #expect(try await fixture.jobs.reclaimLeasesOfDeadWorkers(atMost: 10).isEmpty)
            try await die(fixture, dead)
            let reclaimed = try await fixture.jobs.reclaimLeasesOfDeadWorkers(atMost: 10)
            #expect(Set(reclaimed.map(\.jobID)) == Set(lost.map(\.id)))
            #expect(reclaimed.allSatisfy { $0.workerID == dead && $0.attempt == 1 && $0.fate == .scheduled })
            #expect(try await fixture.jobs.reclaimLeasesOfDeadWorkers(atMost: 10).isEmpty)
            #expect(try await fixture.count("lease") == 1)
            #expect(try await fixture.finish(lost[0]) == .leaseLost)
            let error = try await fixture.job(ids[0]).lastError.map { String(decoding: $0, as: UTF8.self) }
            #expect(error?.contains("worker_died") == true)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a limit bounds each statement`() async throws {
        try await Fixture.use { fixture in
            let dead = try await join(fixture)
            try await fixture.enqueue(25)
            try await fixture.lease(25, worker: dead, seconds: 300)
            try await die(fixture, dead)
            var counts: [Int] = []
            for _ in 0..<4 { counts.append(try await fixture.jobs.reclaimLeasesOfDeadWorkers(atMost: 10).count) }
            #expect(counts == [10, 10, 5, 0])
        }
    }

    @Test func `a queue or a handler keeps the leases of a dead worker until they end`() async throws {
        try await Fixture.use { fixture in
            var kept = QueueSettings()
            kept.takeover = .lease
            try await fixture.jobs.configure(queue: "careful", kept)
            let dead = try await join(fixture, keeping: ["hook.*", "once"])
            try await fixture.enqueue(1) { $0.queue = "careful" }
            try await fixture.enqueue(1) { $0.type = "once" }
            try await fixture.enqueue(1) { $0.type = "hook.a" }
            let other = try await fixture.create { $0.type = "hook" }
            #expect(try await fixture.lease(10, worker: dead, seconds: 300).count == 4)
            try await die(fixture, dead)
            #expect(try await fixture.jobs.reclaimLeasesOfDeadWorkers(atMost: 10).map(\.jobID) == [other])
            #expect(try await fixture.count("lease") == 3)
            try await fixture.expireLeases()
            #expect(try await fixture.jobs.reclaimExpired(atMost: 10).leases.count == 3)
        }
    }

    @Test func `a lease that another session holds is skipped without waiting`() async throws {
        try await Fixture.use { fixture in
            let dead = try await join(fixture)
            try await fixture.enqueue(2)
            let leased = try await fixture.lease(2, worker: dead, seconds: 300)
            try await die(fixture, dead)
            try await fixture.holding("SELECT FROM lease WHERE id = '\(leased[0].id)' FOR UPDATE") {
                let reclaimed = try await fixture.jobs.reclaimLeasesOfDeadWorkers(atMost: 10).map(\.jobID)
                #expect(reclaimed == [leased[1].id])
            }
            #expect(try await fixture.jobs.reclaimLeasesOfDeadWorkers(atMost: 10).map(\.jobID) == [leased[0].id])
        }
    }
}
