import EventLoop
import Jobs
import Postgres
import Telemetry
import TestKit
import Testing
import Values

extension Fixture {
    /// The removals of a whole sweep.
    func sweep(_ policy: RetentionPolicy, atMost limit: Int32 = 1_000) async throws -> [RemovalBatch] {
        var batches: [RemovalBatch] = []
        var cursor: RemovalCursor? = .start
        while let position = cursor {
            let batch = try await jobs.removeEnded(policy, after: position, atMost: limit)
            batches.append(batch)
            cursor = batch.next
        }
        return batches
    }

    func outcomes() async throws -> [String: Int64] {
        let rows = try await sql("SELECT status::text, count(*) FROM outcome GROUP BY 1")
        return Dictionary(uniqueKeysWithValues: try rows.decode((String, Int64).self))
    }
}

@Suite struct RemoveJobsTests {
    private let policy = RetentionPolicy(succeededHours: 24, failedHours: 168, cancelledHours: 24)

    @Test func `each status is kept for its own time`() async throws {
        try await Fixture.use { fixture in
            for status in [JobStatus.succeeded, .failed, .cancelled] {
                try await fixture.insertEnded(3, as: status, createdAgo: "23 hours")
                try await fixture.insertEnded(5, as: status, createdAgo: "25 hours")
                try await fixture.insertEnded(7, as: status, createdAgo: "200 hours")
            }
            let batch = try #require(try await fixture.sweep(policy).first)
            #expect(batch.succeeded == 12 && batch.cancelled == 12 && batch.failed == 7)
            #expect(try await fixture.outcomes() == ["succeeded": 3, "cancelled": 3, "failed": 8])
            #expect(try await fixture.count("job") == 14)
            #expect(try await fixture.count("attempt_error") == 8)
            #expect(try await fixture.transitions()["removed_failed"] == 7)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `retention counts from the end of a job, not from its creation`() async throws {
        try await Fixture.use { fixture in
            try await fixture.insertEnded(1, as: .succeeded, createdAgo: "100 hours", finishedAgo: "1 hour")
            #expect(try await fixture.sweep(policy).map(\.count) == [0])
            #expect(try await fixture.outcomes() == ["succeeded": 1])
        }
    }

    @Test func `a live job is never removed, however old it is`() async throws {
        try await Fixture.use { fixture in
            let everything = RetentionPolicy(succeededHours: 0, failedHours: 0, cancelledHours: 0)
            try await fixture.enqueue(3)
            try await fixture.enqueue(1) { $0.runAt = .now() + .seconds(3_600) }
            _ = try await fixture.lease(1, seconds: 60)
            try await fixture.sql("UPDATE job SET created_at = created_at - interval '1 year'")
            #expect(try await fixture.sweep(everything).map(\.count) == [0])
            #expect(try await fixture.count("job") == 4)
            #expect(try await fixture.count("jobs") == 4)
        }
    }

    @Test func `a statement reads at most the given number of jobs`() async throws {
        try await Fixture.use { fixture in
            try await fixture.insertEnded(12, as: .succeeded, createdAgo: "48 hours", queue: "a")
            try await fixture.insertEnded(9, as: .failed, createdAgo: "48 hours", queue: "b")
            try await fixture.insertEnded(4, as: .cancelled, createdAgo: "48 hours", queue: "c")
            let batches = try await fixture.sweep(policy, atMost: 5)
            #expect(batches.allSatisfy { $0.count <= 5 })
            #expect(batches.count == 6)
            #expect(try await fixture.outcomes() == ["failed": 9])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `three concurrent cleaners remove each job once`() async throws {
        try await Fixture.use { fixture in
            try await fixture.insertEnded(900, as: .succeeded, createdAgo: "48 hours")
            let removed = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        try await fixture.withOther {
                            try await $0.sweep(policy, atMost: 50).reduce(0) { $0 + $1.count }
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(removed == 900)
            #expect(try await fixture.transitions()["removed_succeeded"] == 900)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a job that is retried while retention removes it stays`() async throws {
        try await Fixture.use { fixture in
            try await fixture.insertEnded(1, as: .failed, createdAgo: "200 hours")
            let id = try #require(try await fixture.ids("SELECT id FROM outcome").first)
            try await fixture.general.transaction { transaction in
                var parameters = Parameters()
                parameters.append(id)
                // What a retry does first; it holds the row while the sweep comes by.
                let subqueue = try await transaction.execute(
                    sql: "DELETE FROM outcome WHERE id = $1 RETURNING subqueue_id", parameters
                ).decodeOnly(as: Int32.self)
                parameters.append(subqueue)
                _ = try await transaction.execute(
                    sql: """
                        INSERT INTO ready (id, ready_at, subqueue_id, attempt, priority)
                        VALUES ($1, clock_timestamp(), $2, 1, 0)
                        """,
                    parameters)
                #expect(try await fixture.sweep(policy).map(\.count) == [0])
            }
            #expect(try await fixture.sweep(policy).map(\.count) == [0])
            #expect(try await fixture.status(of: id) == .queued)
        }
    }

    @Test func `a queue's own retention holds for its jobs`() async throws {
        try await Fixture.use { fixture in
            for queue in ["usual", "short", "long"] {
                for status in [JobStatus.succeeded, .failed] {
                    try await fixture.insertEnded(2, as: status, createdAgo: "3 hours", queue: queue)
                    try await fixture.insertEnded(3, as: status, createdAgo: "200 hours", queue: queue)
                }
            }
            try await fixture.jobs.configure(queue: "short") { $0.succeededHours = 2 }
            try await fixture.jobs.configure(queue: "long") {
                $0.succeededHours = 300
                $0.failedHours = 100
            }
            #expect(try await fixture.sweep(policy, atMost: 4).allSatisfy { $0.count <= 4 })
            let left = try await fixture.sql(
                "SELECT queue, status::text, count(*) FROM jobs GROUP BY 1, 2 ORDER BY 1, 2"
            )
            .decode((String, String, Int64).self).map { "\($0) \($1) \($2)" }
            #expect(
                left == ["long failed 2", "long succeeded 5", "short failed 2", "usual failed 2", "usual succeeded 2"])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a sweep continues within a subqueue and beyond its end`() async throws {
        try await Fixture.use { fixture in
            try await fixture.insertEnded(7, as: .failed, createdAgo: "48 hours", queue: "a")
            try await fixture.insertEnded(5, as: .succeeded, createdAgo: "48 hours", queue: "b")
            let batches = try await fixture.sweep(policy, atMost: 3)
            // Seven and five are looked at, once each, three at a time.
            #expect(batches.count == 5 && batches.reduce(0) { $0 + $1.succeeded } == 5)
            #expect(try await fixture.outcomes() == ["failed": 7])
        }
    }

    /// Jobs of the status that is kept longest go with their partition.
    @Test func `no single job is removed if all statuses are kept equally long`() async throws {
        try await Fixture.use { fixture in
            try await fixture.insertPartition(from: -3, to: 0)
            try await fixture.insertEnded(3, as: .succeeded, createdAgo: "49 hours")
            let equal = RetentionPolicy(succeededHours: 48, failedHours: 48, cancelledHours: 48)
            #expect(try await fixture.sweep(equal).map(\.count) == [0])
            let unequal = RetentionPolicy(succeededHours: 48, failedHours: 49, cancelledHours: 48)
            #expect(try await fixture.sweep(unequal).map(\.count) == [3])
        }
    }
}

@Suite struct RetentionPolicyTests {
    @Test(arguments: [(1, 1), (24, 1), (168, 1), (192, 2), (720, 7), (8_760, 91)] as [(Int32, Int32)])
    func `a partition is a quarter of the longest retention, and a day at least`(hours: Int32, days: Int32) {
        let policy = RetentionPolicy(succeededHours: 1, failedHours: hours, cancelledHours: 1)
        #expect(policy.longestHours == hours)
        #expect(policy.partitionDays == days)
    }
}
