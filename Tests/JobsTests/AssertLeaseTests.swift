import Jobs
import Postgres
import TestKit
import Testing
import Values

@Suite struct AssertLeaseTests {
    private func assertion(_ job: UUID, _ token: Int64) -> (sql: String, parameters: Parameters) {
        var parameters = Parameters()
        parameters.append(job)
        parameters.append(token)
        return ("SELECT assert_lease($1, $2)", parameters)
    }

    private func state(_ fixture: Fixture, _ job: UUID, _ token: Int64) async -> SQLState? {
        let (sql, parameters) = assertion(job, token)
        return await failure { try await fixture.sql(sql, parameters) }?.sqlState
    }

    @Test func `assert_lease accepts only the token of the current lease`() async throws {
        try await Fixture.use { fixture in
            let leased = try await fixture.leaseNew()
            #expect(await state(fixture, leased.id, leased.token) == nil)
            #expect(await state(fixture, leased.id, leased.token + 1) == "55000")
            #expect(await state(fixture, UUID(high: 1, low: 1), leased.token) == "55000")
            _ = try await fixture.finish(leased)
            #expect(await state(fixture, leased.id, leased.token) == "55000")

            _ = try await fixture.create()
            let expired = try await fixture.leaseExpired(1)[0]
            #expect(await state(fixture, expired.id, expired.token) == "55000")
        }
    }

    @Test func `until the transaction ends, the job is neither reclaimed nor finished, and its lease is renewed`()
        async throws
    {
        try await Fixture.use { fixture in
            let leased = try await fixture.leaseNew()
            let (sql, parameters) = assertion(leased.id, leased.token)
            try await fixture.withStores(2) { stores in
                let attempt = FinishedAttempt(lease: leased.held, result: .succeeded(result: nil))
                try await fixture.general.transaction { transaction in
                    _ = try await transaction.execute(sql: sql, parameters)
                    #expect(try await stores[0].renew([leased.held], leaseSeconds: 60).count == 1)
                    // Its time runs out in the middle of the transaction.
                    try await fixture.expireLeases()
                    #expect(try await stores[0].reclaimExpired(atMost: 10).leases.isEmpty)
                    #expect(try await stores[1].finish([attempt]) == [.locked])
                    #expect(try await stores[1].finishUnlocked([attempt]) == [.locked])
                    #expect(try await fixture.count("lease") == 1)
                }
                #expect(try await stores[1].finish([attempt]) == [.succeeded])
            }
        }
    }
}
