import EventLoop
import Jobs
import Postgres
import Telemetry
import TestKit
import Testing
import Values

@Suite struct ReclaimLeasesTests {
    @Test func `an expired lease is reclaimed, and the job is leased again with a higher token`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.enqueue(1) { $0.backoff = .none }[0]
            let first = try #require(try await fixture.lease(1, worker: 7, seconds: -1).first)
            let batch = try await fixture.jobs.reclaimExpired(atMost: 10)
            let reclaimed = try #require(batch.leases.first)
            #expect(batch.leases.count == 1)
            #expect(reclaimed.jobID == id)
            #expect(reclaimed.type == "work" && reclaimed.queue == "default")
            #expect(reclaimed.token == first.token && reclaimed.workerID == 7 && reclaimed.attempt == 1)
            #expect(reclaimed.expiresAt < batch.moment)
            #expect(reclaimed.fate == .scheduled)
            #expect(try await fixture.status(of: id) == .scheduled)

            #expect(try await fixture.jobs.promoteDue(atMost: 10, from: .earliest).count == 1)
            let second = try #require(try await fixture.lease(1, seconds: 60).first)
            #expect(second.id == id && second.attempt == 2)
            #expect(second.token > first.token)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a lost lease can neither be finished nor renewed`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1) { $0.backoff = .none }
            let stale = try #require(try await fixture.lease(1, seconds: -1).first)
            _ = try await fixture.jobs.reclaimExpired(atMost: 10)
            #expect(try await fixture.finish(stale) == .leaseLost)
            _ = try await fixture.jobs.promoteDue(atMost: 10, from: .earliest)
            let current = try #require(try await fixture.lease(1, seconds: 60).first)

            #expect(try await fixture.finish(stale) == .leaseLost)
            let renewed = try await fixture.jobs.renew([HeldLease(id: stale.id, token: stale.token)], leaseSeconds: 60)
            #expect(renewed.isEmpty)
            #expect(try await fixture.status(of: stale.id) == .running)
            #expect(try await fixture.finish(current) == .succeeded)
            #expect(try await fixture.status(of: stale.id) == .succeeded)
        }
    }

    @Test func `a lease that has not expired stays, and the next expiry is returned`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(2)
            _ = try await fixture.lease(1, seconds: 600)
            _ = try await fixture.lease(1, seconds: 60)
            let batch = try await fixture.jobs.reclaimExpired(atMost: 10)
            #expect(batch.leases.isEmpty)
            let next = try #require(batch.nextExpiry) - batch.moment
            #expect(next > .seconds(30) && next <= .seconds(60))
        }
    }

    @Test func `without leases there is no next expiry`() async throws {
        try await Fixture.use { fixture in
            let batch = try await fixture.jobs.reclaimExpired(atMost: 10)
            #expect(batch.nextExpiry == nil)
        }
    }

    @Test func `a lease that is being renewed is skipped without waiting`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1)
            _ = try await fixture.leaseExpired(1)
            try await fixture.general.transaction { transaction in
                _ = try await transaction.execute(
                    sql: "UPDATE lease SET expires_at = clock_timestamp() + interval '1 minute'")
                #expect(try await fixture.jobs.reclaimExpired(atMost: 10).leases.isEmpty)
            }
            #expect(try await fixture.jobs.reclaimExpired(atMost: 10).leases.isEmpty)
            #expect(try await fixture.count("lease") == 1)
        }
    }

    /// Both look at the same rows at the same instant, again and again; each row must go to exactly one of them.
    @Test func `renewal and reclaim never both win a lease`() async throws {
        try await Fixture.use { fixture in
            try await fixture.withOther { reaper in
                for _ in 0..<20 {
                    try await fixture.enqueue(100) { $0.backoff = .none }
                    let held = try await fixture.leaseExpired(100).map { HeldLease(id: $0.id, token: $0.token) }
                    async let renewing = fixture.jobs.renew(held, leaseSeconds: 600)
                    async let reclaiming = reaper.jobs.reclaimExpired(atMost: 1_000)
                    let renewed = Set(try await renewing.filter { $0.value != .locked }.keys.map(\.id))
                    let reclaimed = Set(try await reclaiming.leases.map(\.jobID))
                    #expect(renewed.isDisjoint(with: reclaimed))
                    #expect(renewed.union(reclaimed).isSubset(of: held.map(\.id)))
                    #expect(
                        try await fixture.ids("SELECT id FROM lease WHERE expires_at > clock_timestamp()") == renewed)
                    // What the other had locked at that instant is found by the next.
                    let rest = try await reaper.jobs.reclaimExpired(atMost: 1_000).leases.count
                    #expect(rest + reclaimed.count + renewed.count == held.count)
                    try await fixture.sql("DELETE FROM lease")
                    try await fixture.sql("DELETE FROM scheduled")
                }
            }
        }
    }

    @Test func `five concurrent reclaimers take each lease once`() async throws {
        try await Fixture.use { fixture in
            let count = 1_500
            let ids = try await fixture.enqueue(count)
            _ = try await fixture.leaseExpired(count)
            let taken = try await withThrowingTaskGroup(of: [UUID].self) { group in
                for _ in 0..<5 {
                    group.addTask {
                        try await fixture.withOther { reaper in
                            var taken: [UUID] = []
                            while true {
                                let leases = try await reaper.jobs.reclaimExpired(atMost: 20).leases
                                guard !leases.isEmpty else { return taken }
                                taken += leases.map(\.jobID)
                            }
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            let rest = try await fixture.jobs.reclaimExpired(atMost: 1_000).leases.map(\.jobID)
            #expect(taken.count + rest.count == count)
            #expect(Set(taken + rest) == Set(ids))
            #expect(try await fixture.count("scheduled") == Int64(count))
            #expect(try await fixture.transitions()["reclaimed"] == Int64(count))
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a lease that expires with the last attempt fails the job, with an error`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.enqueue(1) { $0.maxAttempts = 1 }[0]
            _ = try await fixture.leaseExpired(1)
            #expect(try await fixture.jobs.reclaimExpired(atMost: 10).leases.map(\.fate) == [.failed])
            let job = try #require(try await fixture.jobs.find(id))
            #expect(job.status == .failed && job.attempt == 1)
            let error = String(decoding: try #require(job.lastError), as: UTF8.self)
            #expect(error.contains("lease_expired"))
            #expect(try await fixture.transitions()["reclaimed_failed"] == 1)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a job that was asked to stop is cancelled when its lease expires`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.enqueue(1)[0]
            _ = try await fixture.leaseExpired(1)
            try await fixture.requestCancel(id)
            #expect(try await fixture.jobs.reclaimExpired(atMost: 10).leases.map(\.fate) == [.cancelled])
            #expect(try await fixture.status(of: id) == .cancelled)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `the next attempt waits for the backoff`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.enqueue(1) { $0.backoff = .fixed(baseSeconds: 3_600) }[0]
            _ = try await fixture.leaseExpired(1)
            let batch = try await fixture.jobs.reclaimExpired(atMost: 10)
            #expect(try await fixture.jobs.promoteDue(atMost: 10, from: .earliest).count == 0)
            let job = try #require(try await fixture.jobs.find(id))
            #expect(job.status == .scheduled)
            #expect(job.runAt - batch.moment > .seconds(3_000))
        }
    }

    @Test func `a statement reclaims at most the given number of leases`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(25)
            _ = try await fixture.leaseExpired(25)
            var counts: [Int] = []
            for _ in 0..<4 { counts.append(try await fixture.jobs.reclaimExpired(atMost: 10).leases.count) }
            #expect(counts == [10, 10, 5, 0])
        }
    }
}
