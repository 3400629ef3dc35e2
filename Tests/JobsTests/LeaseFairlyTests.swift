import EventLoop
import Postgres
import Telemetry
import TestKit
import Testing
import Values

@testable import Jobs

/// Jobs with concurrency keys, and queues with limits.
@Suite struct LeaseFairlyTests {
    private static func request(_ count: Int, worker: Int64 = 1) -> LeaseRequest {
        LeaseRequest(queues: nil, excludedTypes: [], count: count, worker: worker, leaseSeconds: 60)
    }

    /// The keys of the jobs, in the order in which one worker leases them one by one.
    private func order(_ fixture: Fixture, _ count: Int) async throws -> [String?] {
        var cursor = FairnessCursor()
        var keys: [String?] = []
        for _ in 0..<count {
            let answer = try await fixture.jobs.lease(Self.request(1), cursor: &cursor)
            guard let job = answer.jobs.first else { break }
            keys.append(try await fixture.jobs.find(job.id)?.concurrencyKey)
        }
        return keys
    }

    @Test func `keys are served round-robin, regardless of their numbers of jobs`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.enqueue(100) { $0.concurrencyKey = "large" }
            _ = try await fixture.enqueue(5) { $0.concurrencyKey = "small" }
            _ = try await fixture.enqueue(5) { $0.concurrencyKey = "tiny" }
            let keys = try await order(fixture, 15)
            for start in stride(from: 0, to: 15, by: 3) {
                #expect(Set(keys[start..<start + 3]) == ["large", "small", "tiny"])
            }
            // An idle slot does not wait for those that have nothing.
            #expect(try await order(fixture, 200).count == 95)
        }
    }

    @Test func `a batch has the same number of jobs of each key, and is filled with keys that have more`() async throws
    {
        try await Fixture.use { fixture in
            _ = try await fixture.enqueue(100) { $0.concurrencyKey = "large" }
            for key in ["a", "b", "c"] { _ = try await fixture.enqueue(7) { $0.concurrencyKey = key } }
            let ids = try await fixture.lease(40, seconds: 60).map(\.id)
            #expect(ids.count == 40)
            var counts: [String: Int] = [:]
            for id in ids {
                let job = try #require(try await fixture.jobs.find(id))
                counts[try #require(job.concurrencyKey), default: 0] += 1
            }
            #expect(counts == ["large": 19, "a": 7, "b": 7, "c": 7])
        }
    }

    @Test
    func `all types of a concurrency key share its fairness key, and the jobs of a subqueue without keys share one`()
        async throws
    {
        try await Fixture.use { fixture in
            _ = try await fixture.enqueue(20) { $0.concurrencyKey = "a" }
            _ = try await fixture.enqueue(20) {
                $0.concurrencyKey = "a"
                $0.type = "other"
            }
            _ = try await fixture.enqueue(20) { $0.concurrencyKey = "b" }
            _ = try await fixture.enqueue(20)
            let keys = try await order(fixture, 30)
            for key in ["a", "b", nil] { #expect(keys.count { $0 == key } == 10) }
        }
    }

    @Test func `priority comes before fairness`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.enqueue(4) { $0.concurrencyKey = "a" }
            _ = try await fixture.enqueue(4)
            _ = try await fixture.enqueue(4) {
                $0.concurrencyKey = "b"
                $0.priority = -1
            }
            #expect(Set(try await order(fixture, 4)) == ["b"])
            #expect(try await order(fixture, 20).count == 8)
        }
    }

    @Test func `a partition key stays with its job through a backoff, a snooze, a release and a retry by a person`()
        async throws
    {
        try await Fixture.use { fixture in
            let id = try await fixture.create {
                $0.concurrencyKey = "a"
                $0.backoff = .none
            }
            let partitionKey = try await fixture.number("SELECT partition_key FROM ready")
            #expect(
                partitionKey
                    == (try await fixture.number("SELECT partition_key_of((SELECT queue_id FROM subqueue), 'a')"))
            )
            for result in [
                .released, .retry(error: "x", afterSeconds: nil), .retry(error: "x", afterSeconds: 0.001),
                .snoozed(seconds: 0.001), .failed(error: "x"),
            ] as [AttemptResult] {
                try await fixture.makeDue()
                _ = try await fixture.jobs.promoteDue(atMost: 10, from: .earliest)
                let job = try #require(try await fixture.lease(1, seconds: 60).first)
                #expect(try await fixture.number("SELECT partition_key FROM lease") == partitionKey)
                _ = try await fixture.finish(job, result)
            }
            _ = try await fixture.jobs.retry(id)
            #expect(try await fixture.number("SELECT partition_key FROM ready") == partitionKey)
        }
    }

    @Test func `a worker starts at a random position, and the cycle wraps around`() {
        var cursor = FairnessCursor(start: .max - 1)
        #expect(cursor.groups == [])
        cursor.served([7: [.max, .min, .min + 5]])
        #expect(cursor.groups == [7])
        #expect(cursor.lastServed == [.min + 5])
        cursor.served([7: [.min + 6, 0], 3: [.max - 1]])
        #expect(cursor.groups == [3, 7])
        #expect(cursor.lastServed == [.max - 1, 0])
    }

    // MARK: Limits

    @Test func `no more jobs of a queue run than it allows, and an end frees a slot`() async throws {
        try await Fixture.use { fixture in
            try await fixture.jobs.configure(queue: "default") { $0.runningMax = 3 }
            _ = try await fixture.enqueue(10)
            let held = try await fixture.lease(10, seconds: 60)
            #expect(held.count == 3)
            #expect(try await fixture.lease(10, seconds: 60).isEmpty)
            _ = try await fixture.finish(held[0])
            _ = try await fixture.finish(held[1], .retry(error: "x", afterSeconds: 60))
            #expect(try await fixture.lease(10, seconds: 60).count == 2)
            // A dead worker's jobs count until they are taken back.
            try await fixture.expireLeases()
            #expect(try await fixture.lease(10, seconds: 60).isEmpty)
            _ = try await fixture.jobs.reclaimExpired(atMost: 10)
            #expect(try await fixture.lease(10, seconds: 60).count == 3)
        }
    }

    @Test func `no more jobs of a key run than its queue allows, and other keys continue`() async throws {
        try await Fixture.use { fixture in
            try await fixture.jobs.configure(queue: "default") { $0.runningPerKeyMax = 2 }
            for key in ["a", "b", "c"] { _ = try await fixture.enqueue(5) { $0.concurrencyKey = key } }
            // Another queue's key of the same name has a limit of its own: none.
            _ = try await fixture.enqueue(5) {
                $0.concurrencyKey = "a"
                $0.queue = "other"
            }
            let held = try await fixture.lease(100, seconds: 60)
            #expect(held.count == 11)
            #expect(held.count { $0.queue == "other" } == 5)
            #expect(try await fixture.lease(100, seconds: 60).isEmpty)
            let one = try #require(held.first { $0.queue == "default" })
            _ = try await fixture.finish(one)
            let next = try #require(try await fixture.lease(100, seconds: 60).first)
            let keys = (try await fixture.job(one.id).concurrencyKey, try await fixture.job(next.id).concurrencyKey)
            #expect(keys.0 == keys.1)
        }
    }

    @Test func `running jobs count when a limit is set, and a removed limit has no effect`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.enqueue(10)
            let held = try await fixture.lease(4, seconds: 60)
            try await fixture.jobs.configure(queue: "default") { $0.runningMax = 5 }
            #expect(try await fixture.lease(10, seconds: 60).count == 1)
            try await fixture.jobs.configure(queue: "default") { $0.runningMax = 2 }
            for job in held { _ = try await fixture.finish(job) }
            #expect(try await fixture.lease(10, seconds: 60).count == 1)
            try await fixture.jobs.configure(queue: "default") { _ in }
            #expect(try await fixture.lease(10, seconds: 60).count == 4)
        }
    }

    @Test func `a rate allows a burst, then one start after the other, and returns the next start`() async throws {
        try await Fixture.use { fixture in
            try await fixture.jobs.configure(queue: "default") { $0.rate = StartRate(count: 1, seconds: 100, burst: 3) }
            _ = try await fixture.enqueue(10)
            var cursor = FairnessCursor()
            #expect(try await fixture.jobs.lease(Self.request(10), cursor: &cursor).jobs.count == 3)
            let none = try await fixture.jobs.lease(Self.request(10), cursor: &cursor)
            #expect(none.jobs.isEmpty)
            let wait = try #require(none.nextStarts["default"])
            #expect(wait > .seconds(95) && wait <= .seconds(100))
            try await fixture.ageRates(seconds: 150)
            #expect(try await fixture.jobs.lease(Self.request(10), cursor: &cursor).jobs.count == 1)
            // Time that nobody used is not saved up beyond the burst.
            try await fixture.ageRates(seconds: 3_600)
            #expect(try await fixture.jobs.lease(Self.request(10), cursor: &cursor).jobs.count == 3)
        }
    }

    @Test func `a lease is filled although each key has one job`() async throws {
        try await Fixture.use { fixture in
            for key in 0..<600 { _ = try await fixture.enqueue(1) { $0.concurrencyKey = "key \(key)" } }
            #expect(try await fixture.lease(400, seconds: 60).count == 400)
            #expect(try await fixture.lease(400, seconds: 60).count == 200)
        }
    }

    @Test func `what a late lease loses is made up, up to half the time between two starts`() async throws {
        try await Fixture.use { fixture in
            try await fixture.jobs.configure(queue: "default") { $0.rate = StartRate(count: 1, seconds: 100, burst: 1) }
            _ = try await fixture.enqueue(10)
            var cursor = FairnessCursor()
            func nextStart(after seconds: Double) async throws -> Double {
                try await fixture.ageRates(seconds: seconds)
                // The jobs have waited meanwhile.
                try await fixture.sql("UPDATE ready SET ready_at = ready_at - interval '1 day'")
                let answer = try await fixture.jobs.lease(Self.request(10), cursor: &cursor)
                #expect(answer.jobs.count == 1)
                return try #require(answer.nextStarts["default"]).inSeconds
            }
            #expect(abs(try await nextStart(after: 0) - 100) < 5)
            // 30 s late: the next start is as soon as if it had been in time.
            #expect(abs(try await nextStart(after: 130) - 70) < 5)
            // 300 s late: no more than half of the time is made up.
            #expect(abs(try await nextStart(after: 70 + 300) - 50) < 5)
        }
    }

    @Test func `a queue without waiting jobs saves no starts up`() async throws {
        try await Fixture.use { fixture in
            try await fixture.jobs.configure(queue: "default") { $0.rate = StartRate(count: 1, seconds: 100, burst: 1) }
            _ = try await fixture.enqueue(1)
            #expect(try await fixture.lease(10, seconds: 60).count == 1)
            try await fixture.ageRates(seconds: 150)
            _ = try await fixture.enqueue(5)
            var cursor = FairnessCursor()
            let answer = try await fixture.jobs.lease(Self.request(10), cursor: &cursor)
            #expect(answer.jobs.count == 1)
            #expect(try #require(answer.nextStarts["default"]) > .seconds(95))
        }
    }

    @Test func `a changed rate holds at once, in both directions`() async throws {
        try await Fixture.use { fixture in
            let hourly = StartRate(count: 1, seconds: 3_600, burst: 5)
            try await fixture.jobs.configure(queue: "default") { $0.rate = hourly }
            _ = try await fixture.enqueue(50)
            #expect(try await fixture.lease(10, seconds: 60).count == 5)
            #expect(try await fixture.lease(10, seconds: 60).isEmpty)
            try await fixture.jobs.configure(queue: "default") {
                $0.rate = StartRate(count: 100, seconds: 1, burst: 10)
            }
            // Five of the ten are spent; the others may start now.
            #expect((5...11).contains(try await fixture.lease(10, seconds: 60).count))
            try await fixture.jobs.configure(queue: "default") { $0.rate = hourly }
            try await fixture.jobs.configure(queue: "default") {
                $0.rate = StartRate(count: 1, seconds: 3_600, burst: 1)
            }
            var cursor = FairnessCursor()
            let answer = try await fixture.jobs.lease(Self.request(10), cursor: &cursor)
            #expect(answer.jobs.isEmpty)
            #expect(try #require(answer.nextStarts["default"]) <= .seconds(3_600))
        }
    }

    @Test func `a lease says of which limited queues more jobs could start, and which jobs are limited`() async throws {
        try await Fixture.use { fixture in
            try await fixture.jobs.configure(queue: "first") { $0.runningMax = 3 }
            try await fixture.jobs.configure(queue: "second") { $0.runningPerKeyMax = 1 }
            try await fixture.jobs.configure(queue: "full") { $0.runningMax = 1 }
            _ = try await fixture.enqueue(5) { $0.queue = "first" }
            _ = try await fixture.enqueue(5) {
                $0.queue = "second"
                $0.concurrencyKey = "a"
            }
            _ = try await fixture.enqueue(5) { $0.queue = "full" }
            var cursor = FairnessCursor()
            let two = try await fixture.jobs.lease(Self.request(2), cursor: &cursor)
            #expect(two.jobs.allSatisfy { $0.queue == "first" && $0.isLimited })
            #expect(two.unserved == ["first", "second", "full"])
            let rest = try await fixture.jobs.lease(Self.request(10), cursor: &cursor)
            #expect(rest.jobs.count == 3)
            #expect(rest.unserved == [])
            _ = try await fixture.enqueue(1) { $0.queue = "unlimited" }
            let last = try await fixture.jobs.lease(Self.request(1), cursor: &cursor)
            #expect(last.jobs.map(\.isLimited) == [false])
            #expect(last.unserved == [])
        }
    }

    @Test func `a full queue does not keep a worker from other queues`() async throws {
        try await Fixture.use { fixture in
            try await fixture.jobs.configure(queue: "full") { $0.runningMax = 1 }
            _ = try await fixture.enqueue(5) { $0.queue = "full" }
            _ = try await fixture.enqueue(5)
            #expect(try await fixture.lease(10, seconds: 60).count == 6)
            #expect(try await fixture.lease(10, seconds: 60).isEmpty)
        }
    }

    @Test func `sixteen concurrent workers exceed no limit`() async throws {
        try await Fixture.use { fixture in
            try await fixture.jobs.configure(queue: "default") {
                $0.runningMax = 7
                $0.runningPerKeyMax = 2
            }
            for key in 0..<6 { _ = try await fixture.enqueue(40) { $0.concurrencyKey = "key \(key)" } }
            // Whatever is committed is seen by this one, however short it lasted.
            try await fixture.sql("CREATE TABLE exceeded (at timestamptz)")
            try await fixture.sql(
                """
                CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF (SELECT count(*) FROM lease) > 7
                       OR EXISTS (SELECT FROM lease GROUP BY partition_key HAVING count(*) > 2) THEN
                        INSERT INTO exceeded VALUES (clock_timestamp());
                    END IF;
                    RETURN NULL;
                END $$
                """)
            try await fixture.sql(
                """
                CREATE CONSTRAINT TRIGGER watch AFTER INSERT ON lease DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION watch()
                """)
            let done = try await fixture.withStores(16) { stores in
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for (index, store) in stores.enumerated() {
                        group.addTask {
                            var cursor = FairnessCursor()
                            var done = 0
                            while try await fixture.count("outcome") < 240 {
                                let request = Self.request(3, worker: Int64(index))
                                let leased = try await store.lease(request, cursor: &cursor).jobs
                                for job in leased {
                                    done +=
                                        try await store.finish([
                                            FinishedAttempt(lease: job.held, result: .succeeded(result: nil))
                                        ]) == [.succeeded] ? 1 : 0
                                }
                            }
                            return done
                        }
                    }
                    return try await group.reduce(0, +)
                }
            }
            #expect(done == 240)
            #expect(try await fixture.count("exceeded") == 0)
        }
    }

    @Test func `a lease that waits while a limit is set respects it`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.enqueue(10)
            // The statement is prepared, so that nothing but its locks stands before it.
            #expect(try await fixture.lease(1, seconds: 60).count == 1)
            let late = try await fixture.general.transaction { transaction in
                _ = try await transaction.execute(
                    sql: "SELECT configure_queue('default', 3, NULL, NULL, NULL, NULL, NULL, NULL, NULL)")
                let late = Task(executorPreference: TestLoop.shared) { try await fixture.lease(10, seconds: 60) }
                try await fixture.waitUntilBlocked()
                return late
            }
            #expect(try await late.value.count == 2)
        }
    }
}

extension JobStore {
    /// Sets what `change` sets, and nothing else.
    func configure(queue: String, _ change: (inout QueueSettings) -> Void) async throws(PostgresError) {
        var settings = QueueSettings()
        change(&settings)
        try await configure(queue: queue, settings)
    }
}
