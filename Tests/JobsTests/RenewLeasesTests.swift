import Jobs
import Postgres
import TestKit
import Testing
import Values

@Suite struct RenewLeasesTests {
    /// Seconds that the lease of a job still has.
    private func secondsLeft(_ fixture: Fixture, _ id: UUID) async throws -> Double {
        var parameters = Parameters()
        parameters.append(id)
        return try await fixture.sql(
            "SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM lease WHERE id = $1", parameters
        ).decodeOnly(as: Double.self)
    }

    @Test func `a lease lasts for so long from its renewal on`() async throws {
        try await Fixture.use { fixture in
            let held = try await fixture.leaseNew()
            #expect(try await fixture.jobs.renew([held.held], leaseSeconds: 600) == [held.held: .kept])
            let left = try await secondsLeft(fixture, held.id)
            #expect(left > 500 && left <= 600)
            #expect(try await fixture.jobs.renew([held.held], leaseSeconds: 10) == [held.held: .kept])
            #expect(try await secondsLeft(fixture, held.id) <= 10)
        }
    }

    @Test func `a batch is told which of its leases are lost and which jobs are to stop`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(40)
            let held = try await fixture.lease(40, seconds: 60).map(\.held)
            for index in 0..<10 { try await fixture.requestCancel(held[index].id) }
            let ended = held[10..<20].map { FinishedAttempt(lease: $0, result: .released) }
            _ = try await fixture.jobs.finish(ended)
            let stale = held[20..<30].map { HeldLease(id: $0.id, token: $0.token - 1) }
            var random = SeededGenerator(seed: TestSeeds.first)
            let batch = (held[..<20] + stale + held[30...]).shuffled(using: &random)
            let answer = try await fixture.jobs.renew(batch, leaseSeconds: 600)
            var expected: [HeldLease: RenewedLease] = [:]
            for lease in held[..<10] { expected[lease] = .ending(graceSeconds: 10) }
            for lease in held[30...] { expected[lease] = .kept }
            #expect(answer == expected)
            for lease in held[20..<30] { #expect(try await secondsLeft(fixture, lease.id) <= 60) }
        }
    }

    @Test func `a token that is not the current one renews nothing, higher or lower`() async throws {
        try await Fixture.use { fixture in
            let held = try await fixture.leaseNew()
            for token in [held.token - 1, held.token + 1, 0, -1, .max] {
                let answer = try await fixture.jobs.renew([HeldLease(id: held.id, token: token)], leaseSeconds: 9_000)
                #expect(answer.isEmpty)
            }
            #expect(try await secondsLeft(fixture, held.id) <= 60)
        }
    }

    @Test func `who has lost a job and leased it again holds one lease and not two`() async throws {
        try await Fixture.use { fixture in
            let lost = try await fixture.leaseNew { $0.backoff = .none }
            _ = try await fixture.finish(lost, .released)
            let current = try #require(try await fixture.lease(1, seconds: 60).first)
            let answer = try await fixture.jobs.renew([lost.held, current.held], leaseSeconds: 60)
            #expect(answer == [current.held: .kept])
        }
    }

    @Test func `nothing to renew is no error`() async throws {
        let renewed = try await Fixture.use { fixture in try await fixture.jobs.renew([], leaseSeconds: 60) }
        #expect(renewed.isEmpty)
    }
}
