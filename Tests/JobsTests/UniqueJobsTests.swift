import Jobs
import Postgres
import TestKit
import Testing
import Values

@Suite struct UniqueJobsTests {
    private static func job(_ key: String, seconds: Int32? = nil, type: String = "work") -> NewJob {
        var job = NewJob(type: type)
        job.uniqueKey = key
        job.uniqueSeconds = seconds
        return job
    }

    @Test func `a unique key returns the job that holds it until that ends`() async throws {
        try await Fixture.use { fixture in
            let first = try await fixture.jobs.insert(Self.job("k"))
            #expect(first.uniqueKey == "k")
            #expect(try await fixture.job(first.id).text == first.text)
            #expect(try await fixture.jobs.insert(Self.job("k"), as: nil).existing == first.id)
            let leased = try await fixture.lease(5, seconds: 60)
            #expect(leased.map(\.id) == [first.id])
            #expect(try await fixture.jobs.insert(Self.job("k")).id == first.id)
            _ = try await fixture.finish(leased[0])
            let second = try await fixture.jobs.insert(Self.job("k"))
            #expect(second.id != first.id && second.status == .queued)
            #expect(try await fixture.transitions() == ["enqueued": 2, "leased": 1, "succeeded": 1])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a unique key is one for all queues, and separate for each type`() async throws {
        try await Fixture.use { fixture in
            let one = try await fixture.jobs.insert(Self.job("k"))
            let other = try await fixture.jobs.insert(Self.job("k", type: "mail"))
            #expect(other.id != one.id)
            var elsewhere = Self.job("k")
            elsewhere.queue = "bulk"
            elsewhere.priority = 5
            #expect(try await fixture.jobs.insert(elsewhere).id == one.id)
            #expect(try await fixture.jobs.insert(Self.job("K")).id != one.id)
        }
    }

    @Test func `a unique period counts from the creation, regardless of the job's state`() async throws {
        try await Fixture.use { fixture in
            let first = try await fixture.jobs.insert(Self.job("k", seconds: 60))
            let leased = try await fixture.lease(1, seconds: 60)
            _ = try await fixture.finish(leased[0])
            #expect(try await fixture.jobs.insert(Self.job("k", seconds: 1)).id == first.id)
            #expect(try await fixture.jobs.insert(Self.job("k")).id == first.id)
            try await fixture.sql("UPDATE unique_key_holder SET expires_at = clock_timestamp()")
            let second = try await fixture.jobs.insert(Self.job("k"))
            #expect(second.id != first.id)
            // The one that waits has it until it ends.
            #expect(try await fixture.jobs.insert(Self.job("k", seconds: 1)).id == second.id)
        }
    }

    @Test func `a job that is retried after its unique period holds its key again, until it ends`() async throws {
        try await Fixture.use { fixture in
            let first = try await fixture.jobs.insert(Self.job("k", seconds: 2))
            let leased = try await fixture.lease(1, seconds: 60)
            try await fixture.finish(leased[0], .failed(error: "no"))
            try await fixture.sql("UPDATE unique_key_holder SET expires_at = clock_timestamp()")
            #expect(try await fixture.jobs.retry(first.id).done == .queued)
            #expect(try await fixture.jobs.insert(Self.job("k")).id == first.id)
            #expect(try await fixture.jobs.insert(Self.job("k", seconds: 5)).id == first.id)
            let again = try await fixture.lease(5, seconds: 60)
            #expect(again.map(\.id) == [first.id])
            try await fixture.finish(again[0])
            #expect(try await fixture.jobs.insert(Self.job("k")).id != first.id)
        }
    }

    @Test func `a retry within the unique period does not shorten it`() async throws {
        try await Fixture.use { fixture in
            let first = try await fixture.jobs.insert(Self.job("k", seconds: 60))
            let leased = try await fixture.lease(1, seconds: 60)
            try await fixture.finish(leased[0], .failed(error: "no"))
            #expect(try await fixture.jobs.retry(first.id).done == .queued)
            let again = try await fixture.lease(1, seconds: 60)
            try await fixture.finish(again[0])
            #expect(try await fixture.jobs.insert(Self.job("k")).id == first.id)
        }
    }

    @Test func `of the jobs with one key in a bulk request, the first is created, and the others return it`()
        async throws
    {
        try await Fixture.use { fixture in
            let there = try await fixture.jobs.insert(Self.job("there"))
            let keys = ["b", "a", "b", "there", "c", "a", "b"]
            let made = try await fixture.jobs.insertAll(keys.map { Self.job($0) } + [NewJob(type: "work")])
            #expect(made.existing == [false, false, true, true, false, true, true, false])
            #expect(made.ids[2] == made.ids[0] && made.ids[6] == made.ids[0] && made.ids[5] == made.ids[1])
            #expect(made.ids[3] == there.id)
            #expect(try await fixture.count("job") == 5)
            #expect(try await fixture.ids("SELECT id FROM ready") == Set(made.ids))
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `sixteen concurrent insertions with one key create one job`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.create()
            try await fixture.withStores(16) { stores in
                for round in 0..<5 {
                    let ids = try await withThrowingTaskGroup(of: UUID.self) { tasks in
                        for store in stores {
                            for _ in 0..<3 {
                                tasks.addTask { try await store.insert(Self.job("round \(round)")).id }
                            }
                        }
                        return try await tasks.reduce(into: Set<UUID>()) { $0.insert($1) }
                    }
                    #expect(ids.count == 1)
                    #expect(
                        try await fixture.number("SELECT count(*) FROM job WHERE unique_key = 'round \(round)'") == 1)
                }
            }
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test(arguments: TestSeeds.take(1))
    func `sixteen concurrent bulk insertions with the same keys create each job once, without a deadlock`(
        seed: UInt64
    ) async throws {
        let keys = (0..<40).map { "key \($0)" }
        try await Fixture.use { fixture in
            _ = try await fixture.create()
            try await fixture.withStores(16) { stores in
                let answers = try await withThrowingTaskGroup(of: [String: UUID].self) { tasks in
                    for (index, store) in stores.enumerated() {
                        tasks.addTask {
                            var random = SeededGenerator(seed: seed &+ UInt64(index))
                            let shuffled = keys.shuffled(using: &random)
                            let made = try await store.insertAll(shuffled.map { Self.job($0) })
                            return Dictionary(uniqueKeysWithValues: zip(shuffled, made.ids))
                        }
                    }
                    return try await tasks.reduce(into: []) { $0.append($1) }
                }
                #expect(Set(answers).count == 1)
                #expect(answers.count == 16)
            }
            #expect(try await fixture.number("SELECT count(*) FROM job WHERE unique_key IS NOT NULL") == 40)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test(arguments: TestSeeds.take(1))
    func `while jobs of one key are created and finished, at most one is alive`(seed: UInt64) async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.leaseNew()
            try await fixture.withStores(8) { stores in
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for (index, store) in stores.enumerated() {
                        tasks.addTask {
                            var random = SeededGenerator(seed: seed &+ UInt64(index))
                            for _ in 0..<25 {
                                let job = try await store.insert(Self.job("k"))
                                if Bool.random(using: &random) {
                                    _ = try await store.cancel(job.id)
                                } else {
                                    _ = try await store.retry(job.id)
                                }
                                let alive = try await fixture.number(
                                    """
                                    SELECT count(*) FROM jobs
                                    WHERE unique_key = 'k' AND status NOT IN ('succeeded', 'failed', 'cancelled')
                                    """)
                                #expect(alive <= 1)
                            }
                        }
                    }
                    try await tasks.waitForAll()
                }
            }
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a job is not retried while another job holds its key, and holds it again afterwards`() async throws {
        try await Fixture.use { fixture in
            let first = try await fixture.jobs.insert(Self.job("k"))
            #expect(try await fixture.jobs.cancel(first.id).done == .cancelled)
            let second = try await fixture.jobs.insert(Self.job("k"))
            #expect(try await fixture.jobs.retry(first.id).refused == .cancelled)
            #expect(try await fixture.jobs.conflictingJob(of: first.id) == second.id)
            #expect(try await fixture.jobs.cancel(second.id).done == .cancelled)
            #expect(try await fixture.jobs.retry(first.id).done == .queued)
            #expect(try await fixture.jobs.conflictingJob(of: first.id) == nil)
            #expect(try await fixture.jobs.insert(Self.job("k")).id == first.id)
            #expect(try await fixture.jobs.retry(second.id).refused == .cancelled)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `the holder of a unique key is removed with its job, unless another job holds the key`() async throws {
        try await Fixture.use { fixture in
            let (one, two) = (
                try await fixture.jobs.insert(Self.job("a")), try await fixture.jobs.insert(Self.job("b"))
            )
            for id in [one.id, two.id] { _ = try await fixture.jobs.cancel(id) }
            let next = try await fixture.jobs.insert(Self.job("b"))
            let policy = RetentionPolicy(succeededHours: 1, failedHours: 1, cancelledHours: 0)
            _ = try await fixture.jobs.removeEnded(policy, after: .start, atMost: 100)
            #expect(try await fixture.jobs.find(one.id) == nil)
            #expect(try await fixture.ids("SELECT id FROM unique_key_holder") == [next.id])
        }
    }
}

extension InsertAnswer {
    /// The job that was there before.
    fileprivate var existing: UUID? {
        if case .existing(let job) = self { job.id } else { nil }
    }
}
