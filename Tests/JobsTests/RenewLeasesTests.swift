import Jobs
import Postgres
import TestKit
import Testing
import Values

@Suite struct RenewLeasesTests {
    /// Seconds that the lease of a job still has.
    private func secondsLeft(_ jobs: JobsDatabase, _ id: UUID) async throws -> Double {
        var parameters = Parameters()
        parameters.append(id)
        return try await jobs.sql(
            "SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM lease WHERE id = $1", parameters
        ).onlyRow().float8(0)
    }

    @Test func `a lease lasts for so long from its renewal on`() async throws {
        try await JobsDatabase.use { jobs in
            let held = try await jobs.leaseNew()
            #expect(try await jobs.store.renew([held.held], leaseSeconds: 600) == [held.held: .kept])
            let left = try await secondsLeft(jobs, held.id)
            #expect(left > 500 && left <= 600)
            #expect(try await jobs.store.renew([held.held], leaseSeconds: 10) == [held.held: .kept])
            #expect(try await secondsLeft(jobs, held.id) <= 10)
        }
    }

    @Test func `a batch is told which of its leases are lost and which jobs are to stop`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.enqueue(40)
            let held = try await jobs.lease(40, seconds: 60).map(\.held)
            for index in 0..<10 { try await jobs.requestStop(held[index].id) }
            let ended = held[10..<20].map { FinishedAttempt(lease: $0, result: .released) }
            _ = try await jobs.store.finish(ended)
            let stale = held[20..<30].map { HeldLease(id: $0.id, token: $0.token - 1) }
            var random = SeededGenerator(seed: TestSeeds.first)
            let batch = (held[..<20] + stale + held[30...]).shuffled(using: &random)
            let answer = try await jobs.store.renew(batch, leaseSeconds: 600)
            var expected: [HeldLease: RenewedLease] = [:]
            for lease in held[..<10] { expected[lease] = .ending(graceSeconds: 10) }
            for lease in held[30...] { expected[lease] = .kept }
            #expect(answer == expected)
            for lease in held[20..<30] { #expect(try await secondsLeft(jobs, lease.id) <= 60) }
        }
    }

    @Test func `a token that is not the current one renews nothing, higher or lower`() async throws {
        try await JobsDatabase.use { jobs in
            let held = try await jobs.leaseNew()
            for token in [held.token - 1, held.token + 1, 0, -1, .max] {
                let answer = try await jobs.store.renew([HeldLease(id: held.id, token: token)], leaseSeconds: 9_000)
                #expect(answer.isEmpty)
            }
            #expect(try await secondsLeft(jobs, held.id) <= 60)
        }
    }

    @Test func `who has lost a job and leased it again holds one lease and not two`() async throws {
        try await JobsDatabase.use { jobs in
            let lost = try await jobs.leaseNew { $0.backoff = .none }
            _ = try await jobs.finish(lost, .released)
            let current = try #require(try await jobs.lease(1, seconds: 60).first)
            let answer = try await jobs.store.renew([lost.held, current.held], leaseSeconds: 60)
            #expect(answer == [current.held: .kept])
        }
    }

    @Test func `nothing to renew is no error`() async throws {
        let renewed = try await JobsDatabase.use { jobs in try await jobs.store.renew([], leaseSeconds: 60) }
        #expect(renewed.isEmpty)
    }
}
