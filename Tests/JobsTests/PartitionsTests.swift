import EventLoop
import Jobs
import Postgres
import TestKit
import Testing
import Values

extension JobsDatabase {
    /// Makes the partitions of a partition of days, counted from today, as `ensure_partitions` would have made them then.
    func insertPartition(from first: Int32, to end: Int32) async throws {
        var parameters = Parameters()
        parameters.append(first)
        parameters.append(end)
        let (suffix, lowest, highest) = try await sql(
            """
            INSERT INTO job_partition (starts, ends)
            SELECT today + $1::int, today + $2::int FROM (SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date AS today) d
            RETURNING suffix, uuid_at(starts::timestamp AT TIME ZONE 'UTC')::text,
                      uuid_at(ends::timestamp AT TIME ZONE 'UTC')::text
            """, parameters
        ).decodeOnly((String, String, String).self)
        for parent in ["job", "outcome", "attempt_error", "event"] {
            let statement = try await sql(
                """
                SELECT format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', $1 || '_' || $2, $1, $3, $4)
                """, texts: [parent, suffix, lowest, highest]
            ).decodeOnly(as: String.self)
            try await sql(statement)
        }
    }

    func partitionCount() async throws -> Int64 { try await number("SELECT count(*) FROM job_partition") }

    /// Returns as soon as some session waits for a lock that another holds.
    func untilBlocked() async throws {
        let deadline = MonotonicInstant.now() + .seconds(5)
        while try await number("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0 {
            try #require(MonotonicInstant.now() < deadline, "nobody waits for a lock")
        }
    }
}

@Suite struct PartitionsTests {
    private let policy = RetentionPolicy(succeededHours: 24, failedHours: 168, cancelledHours: 24)

    @Test func `the days to come get partitions, once`() async throws {
        try await JobsDatabase.use { jobs in
            let before = try await jobs.partitionCount()
            #expect(try await jobs.store.ensurePartitions(ofDays: 2, daysAhead: 9) == .done(4))
            #expect(try await jobs.partitionCount() == before + 4)
            #expect(try await jobs.store.ensurePartitions(ofDays: 2, daysAhead: 9) == .done(0))
            let covered = try await jobs.number(
                "SELECT (max(ends) - (clock_timestamp() AT TIME ZONE 'UTC')::date)::bigint FROM job_partition")
            #expect(covered >= 10)
            #expect(try await jobs.number("SELECT count(*) FROM pg_inherits") >= 3 * (before + 4))
        }
    }

    @Test func `two that make partitions at once make each once`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.withOther { other in
                async let first = jobs.store.ensurePartitions(ofDays: 1, daysAhead: 20)
                async let second = other.store.ensurePartitions(ofDays: 1, daysAhead: 20)
                let changes = Set(try await [first, second])
                #expect(changes == [.done(18), .done(0)])
                #expect(try await jobs.partitionCount() == 21)
            }
        }
    }

    @Test func `a lock that others hold is waited for only shortly`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.general.transaction { transaction in
                _ = try await transaction.execute(sql: "LOCK TABLE job_default IN ROW EXCLUSIVE MODE")
                #expect(try await jobs.store.ensurePartitions(ofDays: 1, daysAhead: 5) == .busy)
            }
            #expect(try await jobs.store.ensurePartitions(ofDays: 1, daysAhead: 5) == .done(3))
        }
    }

    @Test func `a partition is dropped whole when none of its jobs has to stay`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.insertPartition(from: -10, to: -9)
            try await jobs.insertPartition(from: -4, to: -3)
            for status in [JobStatus.succeeded, .failed, .cancelled] {
                try await jobs.insertEnded(4, as: status, createdAgo: ancient(jobs))
            }
            let days = try await jobs.store.droppablePartitions(policy)
            let oldest = try await jobs.sql("SELECT min(starts)::text FROM job_partition").decodeOnly(as: String.self)
            #expect(days == [oldest])
            #expect(try await jobs.store.dropPartition(from: oldest, policy) == .done(12))
            #expect(try await jobs.store.droppablePartitions(policy).isEmpty)
            #expect(try await jobs.store.dropPartition(from: oldest, policy) == .refused)
            #expect(try await jobs.number("SELECT count(*) FROM job") == 0)
            #expect(try await jobs.number("SELECT count(*) FROM attempt_error") == 0)
            #expect(try await jobs.transitions()["removed_failed"] == 4)
            #expect(try await jobs.countMismatches() == 0)
        }
    }

    @Test func `a partition stays while the queue of one of its jobs keeps it, and none is dropped before its time`()
        async throws
    {
        try await JobsDatabase.use { jobs in
            try await jobs.insertPartition(from: -10, to: -9)
            try await jobs.insertEnded(4, as: .failed, createdAgo: ancient(jobs))
            let day = try #require(try await jobs.store.droppablePartitions(policy).first)
            try await jobs.store.configure(queue: "old") { $0.failedHours = 1_000 }
            #expect(try await jobs.store.droppablePartitions(policy).isEmpty)
            #expect(try await jobs.store.dropPartition(from: day, policy) == .refused)
            try await jobs.store.configure(queue: "old") { $0.failedHours = 1 }
            #expect(try await jobs.store.droppablePartitions(policy) == [day])
            #expect(try await jobs.store.dropPartition(from: day, policy) == .done(4))
        }
    }

    @Test(arguments: [JobStatus.queued, .scheduled, .running])
    func `a partition with a live job stays, and its other jobs are removed one by one`(status: JobStatus) async throws
    {
        try await JobsDatabase.use { jobs in
            try await jobs.insertPartition(from: -10, to: -9)
            let age = try await ancient(jobs)
            try await jobs.insertEnded(4, as: .failed, createdAgo: age)
            try await jobs.insertEnded(1, as: .failed, createdAgo: age, queue: "live")
            try await jobs.live(in: "live", as: status)
            let day = try #require(try await jobs.store.droppablePartitions(policy).first)
            #expect(try await jobs.store.dropPartition(from: day, policy) == .refused)
            #expect(try await jobs.sweep(policy).map(\.count) == [4])
            #expect(try await jobs.number("SELECT count(*) FROM jobs") == 1)
            #expect(try await jobs.sql("SELECT status::text FROM jobs").decodeOnly(as: String.self) == status.rawValue)
        }
    }

    @Test func `a partition with a job that ended lately stays`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.insertPartition(from: -10, to: -9)
            let age = try await ancient(jobs)
            try await jobs.insertEnded(2, as: .failed, createdAgo: age)
            try await jobs.insertEnded(1, as: .succeeded, createdAgo: age, finishedAgo: "1 hour")
            let day = try #require(try await jobs.store.droppablePartitions(policy).first)
            #expect(try await jobs.store.dropPartition(from: day, policy) == .refused)
            #expect(try await jobs.sweep(policy).map(\.count) == [2])
            #expect(try await jobs.outcomes() == ["succeeded": 1])
        }
    }

    @Test func `a drop gives way to a statement that reads, and succeeds later`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.insertPartition(from: -10, to: -9)
            let day = try #require(try await jobs.store.droppablePartitions(policy).first)
            try await jobs.general.transaction { transaction in
                _ = try await transaction.execute(sql: "SELECT count(*) FROM job")
                #expect(try await jobs.store.dropPartition(from: day, policy) == .busy)
            }
            #expect(try await jobs.store.dropPartition(from: day, policy) == .done(0))
        }
    }

    /// An age that lies within the day ten days ago, whatever the time of day.
    private func ancient(_ jobs: JobsDatabase) async throws -> String {
        try await jobs.sql(
            """
            SELECT (at - (date_trunc('day', at) - interval '10 days' + interval '12 hours'))::text
            FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS at) m
            """
        ).decodeOnly(as: String.self)
    }
}

extension JobsDatabase {
    /// Brings the ended job of a queue back to life.
    fileprivate func live(in queue: String, as status: JobStatus) async throws {
        try await sql(
            """
            WITH retried AS MATERIALIZED (
                DELETE FROM outcome o USING subqueue b JOIN queue q ON q.id = b.queue_id
                WHERE b.id = o.subqueue_id AND q.name = $1 RETURNING o.id, o.subqueue_id),
            queued AS (
                INSERT INTO ready (id, ready_at, subqueue_id, attempt)
                SELECT id, clock_timestamp(), subqueue_id, 1 FROM retried WHERE $2 = 'queued'),
            delayed AS (
                INSERT INTO scheduled (id, run_at, subqueue_id, attempt)
                SELECT id, clock_timestamp(), subqueue_id, 1 FROM retried WHERE $2 = 'scheduled')
            INSERT INTO lease (id, token, worker_id, leased_at, expires_at, subqueue_id, attempt)
            SELECT id, 1, 1, clock_timestamp(), clock_timestamp(), subqueue_id, 1 FROM retried WHERE $2 = 'running'
            """, texts: [queue, status.rawValue])
    }
}
