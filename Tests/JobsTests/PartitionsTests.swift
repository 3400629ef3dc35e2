import EventLoop
import Jobs
import Postgres
import TestKit
import Testing
import Values

extension Fixture {
    /// Creates the partitions of a range of days, counted from today, as `ensure_partitions` would have created them.
    func insertPartition(from first: Int32, to end: Int32) async throws {
        var parameters = Parameters()
        parameters.append(first)
        parameters.append(end)
        let (suffix, lowest, highest) = try await sql(
            """
            INSERT INTO job_partition (starts, ends)
            SELECT today + $1::int, today + $2::int
            FROM (SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date AS today) d
            RETURNING suffix, uuid_at(starts::timestamp AT TIME ZONE 'UTC')::text,
                      uuid_at(ends::timestamp AT TIME ZONE 'UTC')::text
            """, parameters
        ).decodeOnly((String, String, String).self)
        for parent in ["job", "outcome", "attempt_error", "event"] {
            let statement = try await sql(
                """
                SELECT format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                              $1 || '_' || $2, $1, $3, $4)
                """, texts: [parent, suffix, lowest, highest]
            ).decodeOnly(as: String.self)
            try await sql(statement)
        }
    }
}

@Suite struct PartitionsTests {
    private let policy = RetentionPolicy(succeededHours: 24, failedHours: 168, cancelledHours: 24)

    @Test func `the coming days get partitions once`() async throws {
        try await Fixture.use { fixture in
            let before = try await fixture.count("job_partition")
            #expect(try await fixture.jobs.ensurePartitions(ofDays: 2, daysAhead: 9) == .done(4))
            #expect(try await fixture.count("job_partition") == before + 4)
            #expect(try await fixture.jobs.ensurePartitions(ofDays: 2, daysAhead: 9) == .done(0))
            let covered = try await fixture.number(
                "SELECT (max(ends) - (clock_timestamp() AT TIME ZONE 'UTC')::date)::bigint FROM job_partition")
            #expect(covered >= 10)
            #expect(try await fixture.count("pg_inherits") >= 3 * (before + 4))
        }
    }

    @Test func `two concurrent callers create each partition once`() async throws {
        try await Fixture.use { fixture in
            try await fixture.withOther { other in
                async let first = fixture.jobs.ensurePartitions(ofDays: 1, daysAhead: 20)
                async let second = other.jobs.ensurePartitions(ofDays: 1, daysAhead: 20)
                let changes = Set(try await [first, second])
                #expect(changes == [.done(18), .done(0)])
                #expect(try await fixture.count("job_partition") == 21)
            }
        }
    }

    @Test func `a lock that another session holds is waited for only briefly`() async throws {
        try await Fixture.use { fixture in
            try await fixture.general.transaction { transaction in
                _ = try await transaction.execute(sql: "LOCK TABLE job_default IN ROW EXCLUSIVE MODE")
                #expect(try await fixture.jobs.ensurePartitions(ofDays: 1, daysAhead: 5) == .busy)
            }
            #expect(try await fixture.jobs.ensurePartitions(ofDays: 1, daysAhead: 5) == .done(3))
        }
    }

    @Test func `a partition is dropped when none of its jobs has to stay`() async throws {
        try await Fixture.use { fixture in
            try await fixture.insertPartition(from: -10, to: -9)
            try await fixture.insertPartition(from: -4, to: -3)
            for status in [JobStatus.succeeded, .failed, .cancelled] {
                try await fixture.insertEnded(4, as: status, createdAgo: ancient(fixture))
            }
            let days = try await fixture.jobs.droppablePartitions(policy)
            let oldest = try await fixture.sql("SELECT min(starts)::text FROM job_partition").decodeOnly(
                as: String.self)
            #expect(days == [oldest])
            #expect(try await fixture.jobs.dropPartition(from: oldest, policy) == .done(12))
            #expect(try await fixture.jobs.droppablePartitions(policy).isEmpty)
            #expect(try await fixture.jobs.dropPartition(from: oldest, policy) == .refused)
            #expect(try await fixture.count("job") == 0)
            #expect(try await fixture.count("attempt_error") == 0)
            #expect(try await fixture.transitions()["removed_failed"] == 4)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a partition stays while the queue of one of its jobs keeps it, and none is dropped before its time`()
        async throws
    {
        try await Fixture.use { fixture in
            try await fixture.insertPartition(from: -10, to: -9)
            try await fixture.insertEnded(4, as: .failed, createdAgo: ancient(fixture))
            let day = try #require(try await fixture.jobs.droppablePartitions(policy).first)
            try await fixture.jobs.configure(queue: "old") { $0.failedHours = 1_000 }
            #expect(try await fixture.jobs.droppablePartitions(policy).isEmpty)
            #expect(try await fixture.jobs.dropPartition(from: day, policy) == .refused)
            try await fixture.jobs.configure(queue: "old") { $0.failedHours = 1 }
            #expect(try await fixture.jobs.droppablePartitions(policy) == [day])
            #expect(try await fixture.jobs.dropPartition(from: day, policy) == .done(4))
        }
    }

    @Test(arguments: [JobStatus.queued, .scheduled, .running])
    func `a partition with a live job stays, and its other jobs are removed one by one`(status: JobStatus) async throws
    {
        try await Fixture.use { fixture in
            try await fixture.insertPartition(from: -10, to: -9)
            let age = try await ancient(fixture)
            try await fixture.insertEnded(4, as: .failed, createdAgo: age)
            try await fixture.insertEnded(1, as: .failed, createdAgo: age, queue: "live")
            try await fixture.live(in: "live", as: status)
            let day = try #require(try await fixture.jobs.droppablePartitions(policy).first)
            #expect(try await fixture.jobs.dropPartition(from: day, policy) == .refused)
            #expect(try await fixture.sweep(policy).map(\.count) == [4])
            #expect(try await fixture.count("jobs") == 1)
            #expect(
                try await fixture.sql("SELECT status::text FROM jobs").decodeOnly(as: String.self) == status.rawValue)
        }
    }

    @Test func `a partition with a job that ended recently stays`() async throws {
        try await Fixture.use { fixture in
            try await fixture.insertPartition(from: -10, to: -9)
            let age = try await ancient(fixture)
            try await fixture.insertEnded(2, as: .failed, createdAgo: age)
            try await fixture.insertEnded(1, as: .succeeded, createdAgo: age, finishedAgo: "1 hour")
            let day = try #require(try await fixture.jobs.droppablePartitions(policy).first)
            #expect(try await fixture.jobs.dropPartition(from: day, policy) == .refused)
            #expect(try await fixture.sweep(policy).map(\.count) == [2])
            #expect(try await fixture.outcomes() == ["succeeded": 1])
        }
    }

    @Test func `a drop gives way to a statement that reads, and succeeds later`() async throws {
        try await Fixture.use { fixture in
            try await fixture.insertPartition(from: -10, to: -9)
            let day = try #require(try await fixture.jobs.droppablePartitions(policy).first)
            try await fixture.general.transaction { transaction in
                _ = try await transaction.execute(sql: "SELECT count(*) FROM job")
                #expect(try await fixture.jobs.dropPartition(from: day, policy) == .busy)
            }
            #expect(try await fixture.jobs.dropPartition(from: day, policy) == .done(0))
        }
    }

    /// An age that lies within the day ten days ago, whatever the time of day.
    private func ancient(_ fixture: Fixture) async throws -> String {
        try await fixture.sql(
            """
            SELECT (at - (date_trunc('day', at) - interval '10 days' + interval '12 hours'))::text
            FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS at) m
            """
        ).decodeOnly(as: String.self)
    }
}

extension Fixture {
    /// Brings the ended job of a queue back to life.
    fileprivate func live(in queue: String, as status: JobStatus) async throws {
        try await sql(
            """
            WITH retried AS MATERIALIZED (
                DELETE FROM outcome o USING subqueue b JOIN queue q ON q.id = b.queue_id
                WHERE b.id = o.subqueue_id AND q.name = $1 RETURNING o.id, o.subqueue_id),
            queued AS (
                INSERT INTO ready (id, ready_at, subqueue_id, attempt, priority)
                SELECT id, clock_timestamp(), subqueue_id, 1, 0 FROM retried WHERE $2 = 'queued'),
            delayed AS (
                INSERT INTO scheduled (id, run_at, subqueue_id, attempt)
                SELECT id, clock_timestamp(), subqueue_id, 1 FROM retried WHERE $2 = 'scheduled')
            INSERT INTO lease (id, token, worker_id, leased_at, expires_at, subqueue_id, attempt)
            SELECT id, 1, 1, clock_timestamp(), clock_timestamp(), subqueue_id, 1 FROM retried WHERE $2 = 'running'
            """, texts: [queue, status.rawValue])
    }
}
