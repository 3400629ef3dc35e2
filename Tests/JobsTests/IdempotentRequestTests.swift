import Jobs
import Postgres
import TestKit
import Testing
import Values

@Suite struct IdempotentRequestTests {
    private static func request(_ key: String, _ body: UInt8 = 1) -> IdempotentRequest {
        IdempotentRequest(key: key, digest: Array(repeating: body, count: 32))
    }

    @Test func `a repeated request gets the same answer, and creates nothing`() async throws {
        try await Fixture.use { fixture in
            var job = NewJob(type: "work")
            job.traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            let first = try await fixture.jobs.insert(job, as: Self.request("r")).created
            let leased = try await fixture.lease(1, seconds: 60)
            _ = try await fixture.finish(leased[0])
            // The trace is that of the request which created it.
            job.traceParent = nil
            let again = try await fixture.jobs.insert(job, as: Self.request("r")).created
            #expect(first != nil && again?.text == first?.text)
            #expect(try await fixture.count("job") == 1)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `another request with the same key is rejected, also within a batch`() async throws {
        try await Fixture.use { fixture in
            let job = NewJob(type: "work")
            _ = try await fixture.jobs.insert(job, as: Self.request("r", 1))
            #expect(try await fixture.jobs.insert(job, as: Self.request("r", 2)).isOtherRequest)
            #expect(try await fixture.jobs.insertAll([job, job], as: Self.request("r", 3)) == nil)
            let refused = try await withThrowingTaskGroup(of: Bool.self) { tasks in
                for number in 0..<32 {
                    tasks.addTask {
                        try await fixture.jobs.insert(job, as: Self.request("s", UInt8(number % 2))).isOtherRequest
                    }
                }
                return try await tasks.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(refused == 16)
            #expect(try await fixture.count("job") == 2)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `sixteen concurrent copies of one request create its jobs once`() async throws {
        try await Fixture.use { fixture in
            var bulk = Array(repeating: NewJob(type: "work"), count: 20)
            bulk[3].uniqueKey = "k"
            bulk[7].uniqueKey = "k"
            let there = try await fixture.create { $0.uniqueKey = "there" }
            bulk[11].uniqueKey = "there"
            try await fixture.withStores(16) { [bulk] stores in
                let answers = try await withThrowingTaskGroup(of: InsertedJobs?.self) { tasks in
                    for store in stores {
                        tasks.addTask { try await store.insertAll(bulk, as: Self.request("bulk")) }
                        tasks.addTask { try await store.insertAll(bulk, as: Self.request("bulk")) }
                    }
                    return try await tasks.reduce(into: []) { $0.append($1) }
                }
                let ids = Set(answers.map { $0?.ids })
                #expect(ids.count == 1 && answers.count == 32)
                let existing = try #require(answers[0]?.existing)
                #expect(answers.allSatisfy { $0?.existing == existing })
                #expect(existing.indices.filter { existing[$0] } == [7, 11])
                #expect(ids.first??[11] == there)

                let single = try await withThrowingTaskGroup(of: UUID?.self) { tasks in
                    for store in stores {
                        for _ in 0..<3 {
                            tasks.addTask {
                                try await store.insert(NewJob(type: "work"), as: Self.request("one")).created?.id
                            }
                        }
                    }
                    return try await tasks.reduce(into: Set<UUID?>()) { $0.insert($1) }
                }
                #expect(single.count == 1 && !single.contains(nil))
            }
            #expect(try await fixture.count("job") == 20)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `after a day an idempotency key is free, and is pruned`() async throws {
        try await Fixture.use { fixture in
            let job = NewJob(type: "work")
            let first = try await fixture.jobs.insert(job, as: Self.request("r", 1)).created
            try await fixture.ageIdempotencyKeys()
            let second = try await fixture.jobs.insert(job, as: Self.request("r", 2)).created
            #expect(first != nil && second != nil && second?.id != first?.id)
            #expect(try await fixture.jobs.insert(job, as: Self.request("r", 2)).created?.id == second?.id)

            for number in 0..<5 { _ = try await fixture.jobs.insert(job, as: Self.request("\(number)")) }
            try await fixture.ageIdempotencyKeys(except: "r")
            #expect(try await fixture.jobs.pruneIdempotencyKeys(atMost: 3) == 3)
            #expect(try await fixture.jobs.pruneIdempotencyKeys(atMost: 3) == 2)
            #expect(try await fixture.count("idempotency_key") == 1)
        }
    }

    @Test func `a repeated request whose job existed returns that job, or that it was removed`() async throws {
        try await Fixture.use { fixture in
            var job = NewJob(type: "work")
            job.uniqueKey = "k"
            let there = try await fixture.create { $0.uniqueKey = "k" }
            for _ in 0..<2 {
                #expect(try await fixture.jobs.insert(job, as: Self.request("r")).existing == there)
            }
            _ = try await fixture.jobs.cancel(there)
            #expect(try await fixture.jobs.insert(job, as: Self.request("r")).existing == there)
            let policy = RetentionPolicy(succeededHours: 1, failedHours: 1, cancelledHours: 0)
            #expect(try await fixture.jobs.removeEnded(policy, after: .start, atMost: 10).cancelled == 1)
            guard case .removed(there) = try await fixture.jobs.insert(job, as: Self.request("r")) else {
                Issue.record("the answer was another")
                return
            }
        }
    }
}

extension InsertAnswer {
    fileprivate var created: Job? {
        if case .created(let job) = self { job } else { nil }
    }

    fileprivate var existing: UUID? {
        if case .existing(let job) = self { job.id } else { nil }
    }

    fileprivate var isOtherRequest: Bool {
        if case .otherRequest = self { true } else { false }
    }
}
