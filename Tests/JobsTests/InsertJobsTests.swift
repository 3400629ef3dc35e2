import Jobs
import Postgres
import Telemetry
import TestKit
import Testing
import Values

@Suite struct InsertJobsTests {
    @Test func `a job without options is returned as it is stored`() async throws {
        try await Fixture.use { fixture in
            let made = try await fixture.jobs.insert(NewJob(type: "mail", payload: Array(#"{"to": 1}"#.utf8)))
            #expect(made.status == .queued && made.attempt == 0)
            #expect(made.runAt == made.createdAt)
            #expect(try await fixture.job(made.id).text == made.text)
            let age = try await fixture.number(
                "SELECT (extract(epoch FROM clock_timestamp() - created_at) * 1000)::int8 FROM job")
            #expect(age >= 0 && age < 60_000)
            #expect(try await fixture.transitions() == ["enqueued": 1])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test(arguments: [
        Backoff.standard, .none, .fixed(baseSeconds: 2.5), .exponential(baseSeconds: 0.25, maxSeconds: 604_800),
    ])
    func `a job with every member is returned as it is stored`(backoff: Backoff) async throws {
        try await Fixture.use { fixture in
            var job = NewJob(type: "a/b:c", payload: Array("[1,2]".utf8))
            job.queue = "bulk"
            job.priority = .min
            job.maxAttempts = JobLimits.maxAttempts.upperBound
            job.timeoutSeconds = 0
            job.backoff = backoff
            job.tags = ["a", "a,b", "{x}", "\"q\"", "\\", " ", "NULL", "null", "\u{e9}", "e\u{301}", "''", "\u{1f600}"]
            job.traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            let made = try await fixture.jobs.insert(job)
            let found = try await fixture.job(made.id)
            #expect(found.text == made.text)
            #expect(found.tags.map { Array($0.utf8) } == job.tags.map { Array($0.utf8) })
            #expect(found.backoff == backoff)
            #expect(found.priority == .min && found.maxAttempts == 10_000 && found.timeoutSeconds == 0)
        }
    }

    @Test func `a delay counts from the creation by PostgreSQL's clock`() async throws {
        try await Fixture.use { fixture in
            var job = NewJob(type: "work")
            job.delaySeconds = 3_600
            let later = try await fixture.jobs.insert(job)
            #expect(later.status == .scheduled && later.runAt == later.createdAt + .seconds(3_600))
            #expect(try await fixture.job(later.id).text == later.text)
            job.uniqueKey = "k"
            let keyed = try await fixture.jobs.insert(job)
            #expect(keyed.status == .scheduled && keyed.runAt == keyed.createdAt + .seconds(3_600))
            #expect(try await fixture.job(keyed.id).text == keyed.text)

            job = NewJob(type: "work")
            job.delaySeconds = 0
            let now = try await fixture.jobs.insert(job)
            #expect(now.status == .queued && now.runAt == now.createdAt)
            #expect(try await fixture.job(now.id).text == now.text)

            job.delaySeconds = 60
            let many = try #require(try await fixture.jobs.insertAll([job, NewJob(type: "work")], as: nil))
            #expect(try await fixture.status(of: many.ids[0]) == .scheduled)
            #expect(try await fixture.status(of: many.ids[1]) == .queued)
            #expect(try await fixture.transitions() == ["enqueued": 2, "delayed": 3])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a job with a later run_at is scheduled, one with an earlier run_at is queued`() async throws {
        try await Fixture.use { fixture in
            var job = NewJob(type: "work")
            job.runAt = WallInstant.now() + .seconds(3_600)
            let later = try await fixture.jobs.insert(job)
            #expect(later.status == .scheduled && later.runAt == job.runAt)
            #expect(try await fixture.job(later.id).text == later.text)
            for instant in [WallInstant.earliest, WallInstant.now() - .seconds(1)] {
                job.runAt = instant
                let now = try await fixture.jobs.insert(job)
                #expect(now.status == .queued && now.runAt == instant)
                #expect(try await fixture.job(now.id).text == now.text)
            }
            job.runAt = .latest
            #expect(try await fixture.jobs.insert(job).status == .scheduled)
            #expect(try await fixture.lease(10, seconds: 60).count == 2)
            #expect(try await fixture.transitions() == ["enqueued": 2, "delayed": 2, "leased": 2])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test(arguments: [
        #"{"n":12345678901234567890,"x":1.10,"e":1e400,"u":"\u0000","k":{"\u00e9":1,"e\u0301":2}}"#,
        #"{"a":1,"a":2}"#, #""\ud800""#, "[ 1,\t2 ]", "-0.0", "\"\u{2028}\u{7f}\"",
        String(repeating: "[", count: 512) + String(repeating: "]", count: 512),
        "\"" + String(repeating: "p", count: JobLimits.payloadBytesMax - 2) + "\"",
    ])
    func `a worker gets the payload byte for byte`(payload: String) async throws {
        try await Fixture.use { fixture in
            let leased = try await fixture.leaseNew { $0.payload = Array(payload.utf8) }
            let read = try await fixture.jobs.readPayloads(of: [leased.id], bytesMax: 0, atLeastOne: true)
            let bytes = leased.hasPayload ? leased.payload : read.first?.bytes
            // No `==` of arrays in `#expect`: the description of a difference of 1 MiB takes minutes.
            let isSame = bytes == Array(payload.utf8)
            #expect(isSame)
            #expect(try await fixture.job(leased.id).payload == Array(payload.utf8))
        }
    }

    @Test func `a bad job in a batch fails alone`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.create()
            let failures = try await withThrowingTaskGroup(of: (Int, PostgresError?).self) { tasks in
                for number in 0..<50 {
                    tasks.addTask {
                        let payload = number % 10 == 3 ? "{\(number)" : "\(number)"
                        return (
                            number,
                            await failure {
                                _ = try await fixture.jobs.insert(NewJob(type: "work", payload: Array(payload.utf8)))
                            }
                        )
                    }
                }
                return try await tasks.reduce(into: [Int: PostgresError]()) { $0[$1.0] = $1.1 }
            }
            #expect(Set(failures.keys) == [3, 13, 23, 33, 43])
            #expect(failures.values.allSatisfy { $0.sqlState == .invalidTextRepresentation && !$0.isOutcomeUnknown })
            #expect(try await fixture.number("SELECT count(DISTINCT payload::text) FROM job") == 46)
            #expect(try await fixture.count("ready") == 46)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `jobs of one batch run in the order of their submission`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.leaseNew()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for number in 0..<100 {
                    tasks.addTask {
                        _ = try await fixture.jobs.insert(NewJob(type: "work", payload: Array("\(number)".utf8)))
                    }
                }
                try await tasks.waitForAll()
            }
            var order: [String] = []
            for _ in 0..<100 {
                order += try await fixture.lease(1, seconds: 60).map { String(decoding: $0.payload, as: UTF8.self) }
            }
            #expect(order == (0..<100).map { "\($0)" })
        }
    }

    @Test func `all jobs of a bulk request are created in order, or none`() async throws {
        try await Fixture.use { fixture in
            var many = (0..<1_000).map { NewJob(type: "t\($0 % 7)", payload: Array("\($0)".utf8)) }
            for index in stride(from: 0, to: 1_000, by: 3) { many[index].tags = ["third"] }
            for index in stride(from: 0, to: 1_000, by: 5) { many[index].runAt = .latest }
            let made = try await fixture.jobs.insertAll(many)
            #expect(zip(made.ids, made.ids.dropFirst()).allSatisfy { $0 < $1 })
            let createdAt = try await fixture.job(made.ids[7]).createdAt
            for index in [0, 1, 5, 999] {
                let job = try await fixture.job(made.ids[index])
                #expect(job.payload == many[index].payload && job.type == many[index].type)
                #expect(job.tags == many[index].tags && job.createdAt == createdAt)
                #expect(job.status == (index % 5 == 0 ? .scheduled : .queued))
            }
            #expect(try await fixture.transitions() == ["enqueued": 800, "delayed": 200])

            many[500].payload = Array("{".utf8)
            let refused = await failure { _ = try await fixture.jobs.insertAll(many) }
            #expect(refused?.sqlState == .invalidTextRepresentation)
            #expect(try await fixture.count("job") == 1_000)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test(arguments: TestSeeds.take(1))
    func `sixteen processes agree on the ids of new subqueues`(seed: UInt64) async throws {
        try await Fixture.use { fixture in
            try await fixture.withStores(16) { stores in
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for (index, store) in stores.enumerated() {
                        tasks.addTask {
                            var random = SeededGenerator(seed: seed &+ UInt64(index))
                            let many = (0..<50).map { number in
                                var job = NewJob(type: "t\(number % 5)")
                                job.queue = "q\(number % 10)"
                                job.priority = Int16(number % 3)
                                return job
                            }
                            _ = try await store.insertAll(many.shuffled(using: &random))
                        }
                    }
                    try await tasks.waitForAll()
                }
            }
            #expect(try await fixture.count("subqueue") == 30)
            #expect(try await fixture.count("queue") == 10)
            let wrong =
                "SELECT count(*) FROM (SELECT subqueue_id FROM job GROUP BY subqueue_id HAVING count(*) % 16 <> 0) b"
            #expect(try await fixture.number(wrong) == 0)
        }
    }
}
