import Jobs
import Postgres
import TestKit
import Testing

/// Tokens increase when a standby that lacks the last numbers is promoted, and when an old dump is restored.
@Suite struct TokenEpochTests {
    /// What a promotion leaves: an older number, and another timeline than that of the last lease.
    private func loseNumbers(_ fixture: Fixture, timeline change: Int = -1) async throws {
        try await fixture.sql("SELECT setval('lease_token', 1)")
        try await fixture.sql("UPDATE token_epoch SET timeline = timeline + (\(change))")
    }

    private func epoch(_ fixture: Fixture) async throws -> Int32 {
        try await fixture.sql("SELECT epoch FROM token_epoch").decodeOnly()
    }

    @Test func `the first lease after a promotion has a higher token than all before it`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(30)
            var last: Int64 = 0
            for promotion in 0..<4 {
                for _ in 0..<3 {
                    let leased = try #require(try await fixture.lease(1).first)
                    #expect(leased.token > last)
                    last = leased.token
                }
                #expect(try await epoch(fixture) == Int32(promotion + 1))
                try await loseNumbers(fixture, timeline: promotion % 2 == 0 ? -1 : 7)
            }
            // A look of the reaper comes before the next lease.
            #expect(try await fixture.jobs.beginTokenEpoch() == 5)
            #expect(try await fixture.jobs.beginTokenEpoch() == 5)
            #expect(try #require(try await fixture.lease(1).first).token > last)
        }
    }

    @Test func `the tokens of keyed jobs follow the same epochs`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(4) { $0.concurrencyKey = "k" }
            let first = try #require(try await fixture.lease(1).first)
            try await loseNumbers(fixture)
            #expect(try #require(try await fixture.lease(1).first).token > first.token)
        }
    }

    @Test func `concurrent leases after a promotion begin one epoch`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(200)
            let before = try #require(try await fixture.lease(1).first).token
            try await loseNumbers(fixture)
            let tokens = try await fixture.withStores(4) { stores in
                try await withThrowingTaskGroup(of: [Int64].self) { group in
                    for store in stores {
                        group.addTask {
                            var tokens: [Int64] = []
                            for _ in 0..<10 {
                                let request = LeaseRequest(
                                    queues: nil, excludedTypes: [], count: 1, worker: 1, leaseSeconds: 60)
                                tokens += try await store.lease(request).map(\.token)
                            }
                            return tokens
                        }
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
            }
            #expect(tokens.count == 40 && Set(tokens).count == 40 && tokens.allSatisfy { $0 > before })
            #expect(try await epoch(fixture) == 2)
        }
    }

    @Test func `a restored copy has an epoch of its own`() async throws {
        try await Fixture.use { fixture in
            #expect(try await fixture.jobs.beginTokenEpoch() == 1)
            try await fixture.sql("UPDATE token_epoch SET cluster = cluster + 1")
            #expect(try await fixture.jobs.beginTokenEpoch() == 2)
            #expect(try await fixture.jobs.beginTokenEpoch() == 2)
            try await fixture.sql("UPDATE token_epoch SET table_id = 1")
            #expect(try await fixture.jobs.beginTokenEpoch() == 3)
            #expect(try await fixture.jobs.beginTokenEpoch() == 3)
        }
    }
}
