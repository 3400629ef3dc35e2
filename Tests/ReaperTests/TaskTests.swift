import EventLoop
import Jobs
import Postgres
import Synchronization
import Telemetry
import TestKit
import Testing
import Values
import Workers

@testable import Reaper

@Suite struct TaskTests {
    private let log = CollectedLog()
    private var logger: Logger { Logger(component: "reaper", level: .info, sink: log) }

    @Test func `each reclaimed lease is one log line with its job and worker`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(2) { $0.queue = "mail" }
            try await fixture.leaseExpired(2, worker: 5)
            let report = try await LeaseReclaimer(store: fixture.jobs, logger: logger).runOnce()
            #expect(report.reclaimed == 2 && report.scheduled == 2 && report.isNotable)
            #expect(log.records.count == 2)
            let names = log.records[0].fields.list.map(\.name)
            #expect(
                names == [
                    "job_id", "type", "queue", "attempt", "worker_id", "lease_token", "expires_at", "job_status",
                ])
            let line = log.lines()[0]
            #expect(line.contains(#""queue":"mail""#) && line.contains(#""worker_id":5"#))
        }
    }

    @Test func `the reclaimer processes several batches, and is due when the next lease expires`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1_201)
            try await fixture.leaseExpired(1_200, worker: 5)
            try await fixture.lease(1, seconds: 30)
            let reclaimer = LeaseReclaimer(store: fixture.jobs, logger: logger)
            let report = try await reclaimer.runOnce()
            #expect(report.reclaimed == 1_200)
            let dueIn = try #require(report.dueIn)
            #expect(dueIn > .seconds(10) && dueIn <= .seconds(30))
            let second = try await reclaimer.runOnce()
            #expect(second.reclaimed == 0 && !second.isNotable)
        }
    }

    @Test func `the promoter processes several batches, and is due when the next job is`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(2_500) { $0.runAt = .now() + .seconds(600) }
            try await fixture.makeDue()
            try await fixture.enqueue(1) { $0.runAt = .now() + .seconds(30) }
            var promoter = JobPromoter(store: fixture.jobs)
            let report = try await promoter.runOnce()
            #expect(report.promoted == 2_500)
            let dueIn = try #require(report.dueIn)
            #expect(dueIn > .seconds(10) && dueIn <= .seconds(30))
            #expect(try await fixture.count("ready") == 2_500)
        }
    }

    @Test func `low-water marks advance with the rolled-up deltas, from the second run on`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1_000)
            let activity = SharedActivity()
            var rollup = TransitionRollup(store: fixture.jobs, activity: activity)
            var advancer = LowWaterMarkAdvancer(store: fixture.jobs, activity: activity)
            #expect(try await advancer.runOnce().dueIn == nil)
            try await fixture.lease(900, seconds: 60)
            #expect(try await rollup.runOnce().dueIn == TransitionRollup.busyInterval)
            let busy = try await advancer.runOnce()
            #expect(busy.raised == 1 && busy.dueIn == LowWaterMarkAdvancer.busyInterval)
            #expect(try await rollup.runOnce().dueIn == nil)
            let idle = try await advancer.runOnce()
            #expect(idle.raised == 0 && idle.dueIn == nil)
        }
    }

    @Test func `a job hidden below a low-water mark is found and reported`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1)
            try await fixture.sql(
                "INSERT INTO low_water_mark (priority, subqueue_id, seq) SELECT priority, id, 1000000 FROM subqueue")
            var advancer = LowWaterMarkAdvancer(store: fixture.jobs, activity: SharedActivity())
            let report = try await advancer.runOnce()
            #expect(report.lowered == 1 && report.isNotable)
            #expect(try await fixture.number("SELECT seq FROM low_water_mark") == 1)
        }
    }

    /// Each sees what the jobs have done, though vacuum lets their rows into the first blocks of a table that was long.
    @Test func `each run rolls up the transition deltas, wherever they are`() async throws {
        try await Fixture.use { fixture in
            var rollup = TransitionRollup(store: fixture.jobs, activity: SharedActivity())
            try await fixture.enqueue(1)
            try await fixture.sql(
                """
                INSERT INTO transition_delta (subqueue_id, transition, n)
                SELECT 1, 'enqueued', 0 FROM generate_series(1, 5000)
                """)
            for _ in 0..<3 { _ = try await rollup.runOnce() }
            try await fixture.sql("VACUUM transition_delta")
            for _ in 0..<12 {
                try await fixture.enqueue(1)
                try await Task.sleep(for: .milliseconds(20))
                #expect(try await rollup.runOnce().deltas == 1)
            }
            #expect(try await fixture.count("transition_delta") == 0)
            #expect(try await fixture.number("SELECT sum(n)::bigint FROM transition_count") == 13)
        }
    }

    @Test func `a dead worker is logged once`() async throws {
        try await Fixture.use { fixture in
            let worker = WorkerDescription(
                incarnation: UUID(high: 1, low: 1), name: "w-1", host: "h-1", version: "0", queues: nil, concurrency: 1)
            _ = try await fixture.workers.join(worker)
            let reclaims = Atomic(0)
            let finder = DeadWorkerFinder(registry: fixture.workers, logger: logger) {
                reclaims.add(1, ordering: .relaxed)
            }
            #expect(try await !finder.runOnce().isNotable)
            try await fixture.expireWorkers()
            #expect(try await finder.runOnce().dead == 1)
            #expect(try await finder.runOnce().dead == 0)
            #expect(reclaims.load(ordering: .relaxed) == 1)
            #expect(log.lines().count == 1 && log.lines()[0].contains(#""worker":"w-1""#))
        }
    }

    @Test func `a subqueue is removed when it has had no jobs for a day`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1) { $0.queue = "a" }
            try await fixture.sql("TRUNCATE job, ready, transition_delta")
            try await fixture.sql("UPDATE queue SET in_metrics = false")
            try await fixture.enqueue(1) { $0.queue = "b" }
            var retirement = SubqueueRetirement(store: fixture.jobs)
            let first = try await retirement.runOnce()
            #expect(first.retired == 1 && first.subqueues == 0 && first.dueIn == nil)
            try await fixture.ageRetiredSubqueues(hours: 23)
            #expect(try await retirement.runOnce().subqueues == 0)
            try await fixture.ageRetiredSubqueues(hours: 2)
            let last = try await retirement.runOnce()
            #expect(last.subqueues == 1 && last.queues == 1 && last.isNotable && last.dueIn == nil)
            #expect(try await fixture.sql("SELECT name FROM queue").decode(as: String.self) == ["b"])
        }
    }

    @Test func `a sweep over many subqueues takes several statements`() async throws {
        try await Fixture.use { fixture in
            try await fixture.sql(
                """
                SELECT count(*) FROM (SELECT register_subqueues(
                    array_agg('q' || i), array_agg('t'::text), array_agg(0::smallint), array_agg(false))
                FROM generate_series(1, 1200) i) r
                """)
            var retirement = SubqueueRetirement(store: fixture.jobs)
            #expect(try await retirement.runOnce().retired == 1_200)
            try await fixture.ageRetiredSubqueues(hours: 25)
            let report = try await retirement.runOnce()
            #expect(report.subqueues == 1_200 && report.retired == 0 && report.dueIn == nil)
            #expect(report.queues == 1_000)
            #expect(try await fixture.number("SELECT count(*) FROM queue WHERE in_metrics") == 200)
        }
    }

    @Test func `partitions are created ahead, once`() async throws {
        try await Fixture.use { fixture in
            let keeper = PartitionKeeper(store: fixture.jobs, partitionDays: 1)
            let partitions = try await fixture.count("job_partition")
            #expect(try await keeper.runOnce().created == 0)
            try await fixture.sql("DELETE FROM job_partition WHERE starts > current_date")
            try await fixture.sql(
                """
                DO $$ DECLARE t regclass; BEGIN
                    FOR t IN SELECT inhrelid FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
                             WHERE c.relname ~ '_[0-9]{8}$'
                               AND to_date(right(c.relname, 8), 'YYYYMMDD') > current_date LOOP
                        EXECUTE format('DROP TABLE %s', t);
                    END LOOP;
                END $$
                """)
            let report = try await keeper.runOnce()
            #expect(report.created == PartitionKeeper.daysAhead && report.isNotable && report.dueIn == nil)
            #expect(try await fixture.count("job_partition") == partitions)
        }
    }

    @Test func `a sweep over many jobs takes several runs, and the next sweep starts again`() async throws {
        try await Fixture.use { fixture in
            let perRun = Int(RetentionCleaner.batchMax) * RetentionCleaner.batchesMax
            try await fixture.insertEnded(perRun + 500, as: .succeeded, createdAgo: "48 hours")
            let policy = RetentionPolicy(succeededHours: 24, failedHours: 168, cancelledHours: 24)
            var cleaner = RetentionCleaner(store: fixture.jobs, policy: policy)
            let first = try await cleaner.runOnce()
            #expect(first.removed == perRun && first.dueIn == .zero)
            let second = try await cleaner.runOnce()
            #expect(second.removed == 500 && second.dueIn == nil)
            #expect(try await fixture.count("outcome") == 0)
            let third = try await cleaner.runOnce()
            #expect(third.removed == 0 && !third.isNotable)
        }
    }

    @Test func `idempotency keys older than a day are pruned, newer ones stay`() async throws {
        try await Fixture.use { fixture in
            for number in 0..<3 {
                let request = IdempotentRequest(key: "key \(number)", digest: [UInt8(number)])
                _ = try await fixture.jobs.insert(NewJob(type: "work"), as: request)
            }
            try await fixture.ageIdempotencyKeys(except: "key 1")
            let pruner = IdempotencyKeyPruner(store: fixture.jobs)
            let report = try await pruner.runOnce()
            #expect(report.deleted == 2 && report.isNotable && report.dueIn == nil)
            #expect(try await pruner.runOnce().deleted == 0)
            #expect(try await fixture.number("SELECT count(*) FROM idempotency_key WHERE key = 'key 1'") == 1)
        }
    }
}
