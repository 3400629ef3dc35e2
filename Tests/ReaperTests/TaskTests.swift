import EventLoop
import Jobs
import Postgres
import Telemetry
import TestKit
import Testing
import Values
import Workers

@testable import Reaper

/// A store on a migrated database of one test.
private struct Stored: Sendable {
    let store: JobStore
    let registry: WorkerRegistry
    let general: ConnectionPool

    static func use<Value: Sendable>(_ body: @Sendable (Stored) async throws -> Value) async throws -> Value {
        let database = try await TestDatabase.migrated()
        return try await TestLoop.run {
            let options = ConnectionPool.Options(size: 2)
            let hot = ConnectionPool(database.settings, profile: .hot, options: options, on: TestLoop.shared)
            let general = ConnectionPool(database.settings, options: options, on: TestLoop.shared)
            defer {
                hot.close()
                general.close()
            }
            let store = JobStore(hot: hot, general: general, subqueues: SubqueueDirectory())
            return try await body(Stored(store: store, registry: WorkerRegistry(pool: hot), general: general))
        }
    }

    func enqueue(_ count: Int, _ change: (inout NewJob) -> Void = { _ in }) async throws {
        var job = NewJob(type: "work")
        change(&job)
        var left = count
        while left > 0 {
            let batch = min(left, 500)
            _ = try await store.insertAll(Array(repeating: job, count: batch), as: nil)
            left -= batch
        }
    }

    func lease(_ count: Int, seconds: Double) async throws {
        let request = LeaseRequest(queues: nil, excludedTypes: [], count: count, worker: 5, leaseSeconds: seconds)
        var cursor = FairnessCursor()
        _ = try await store.lease(request, cursor: &cursor)
    }

    func number(_ sql: String) async throws -> Int64 {
        try await general.execute(sql: sql).onlyRow().int8(0)
    }
}

@Suite struct TaskTests {
    private let log = CollectedLog()
    private var logger: Logger { Logger(component: "reaper", level: .info, sink: log) }

    @Test func `each reclaimed lease is one log line with its job and worker`() async throws {
        try await Stored.use { stored in
            try await stored.enqueue(2) { $0.queue = "mail" }
            try await stored.lease(2, seconds: -1)
            let report = try await LeaseReclaimer(store: stored.store, logger: logger).runOnce()
            #expect(report.reclaimed == 2 && report.scheduled == 2 && report.isNotable)
            #expect(log.records.count == 2)
            let names = log.records[0].fields.list.map(\.name)
            #expect(
                names == [
                    "job_id", "type", "queue", "attempt", "worker_id", "lease_token", "expired_at", "job_status",
                ])
            let line = log.lines()[0]
            #expect(line.contains(#""queue":"mail""#) && line.contains(#""worker_id":5"#))
        }
    }

    @Test func `the reclaimer processes several batches, and is due when the next lease expires`() async throws {
        try await Stored.use { stored in
            try await stored.enqueue(1_201)
            try await stored.lease(1_200, seconds: -1)
            try await stored.lease(1, seconds: 30)
            let reclaimer = LeaseReclaimer(store: stored.store, logger: logger)
            let report = try await reclaimer.runOnce()
            #expect(report.reclaimed == 1_200)
            let dueIn = try #require(report.dueIn)
            #expect(dueIn > .seconds(10) && dueIn <= .seconds(30))
            let second = try await reclaimer.runOnce()
            #expect(second.reclaimed == 0 && !second.isNotable)
        }
    }

    @Test func `the promoter processes several batches, and is due when the next job is`() async throws {
        try await Stored.use { stored in
            try await stored.enqueue(2_500) { $0.runAt = .now() + .seconds(600) }
            _ = try await stored.general.execute(sql: "UPDATE scheduled SET run_at = clock_timestamp()")
            try await stored.enqueue(1) { $0.runAt = .now() + .seconds(30) }
            var promoter = JobPromoter(store: stored.store)
            let report = try await promoter.runOnce()
            #expect(report.promoted == 2_500)
            let dueIn = try #require(report.dueIn)
            #expect(dueIn > .seconds(10) && dueIn <= .seconds(30))
            #expect(try await stored.number("SELECT count(*) FROM ready") == 2_500)
        }
    }

    @Test func `low-water marks advance with the rolled-up deltas, from the second run on`() async throws {
        try await Stored.use { stored in
            try await stored.enqueue(1_000)
            let activity = SharedActivity()
            var rollup = TransitionRollup(store: stored.store, activity: activity)
            var advancer = LowWaterMarkAdvancer(store: stored.store, activity: activity)
            #expect(try await advancer.runOnce().dueIn == nil)
            try await stored.lease(900, seconds: 60)
            #expect(try await rollup.runOnce().dueIn == TransitionRollup.busyInterval)
            let busy = try await advancer.runOnce()
            #expect(busy.raised == 1 && busy.dueIn == LowWaterMarkAdvancer.busyInterval)
            #expect(try await rollup.runOnce().dueIn == nil)
            let idle = try await advancer.runOnce()
            #expect(idle.raised == 0 && idle.dueIn == nil)
        }
    }

    @Test func `a job hidden below a low-water mark is found and reported`() async throws {
        try await Stored.use { stored in
            try await stored.enqueue(1)
            _ = try await stored.general.execute(sql: "UPDATE subqueue SET low_water_mark = 1000000")
            var advancer = LowWaterMarkAdvancer(store: stored.store, activity: SharedActivity())
            let report = try await advancer.runOnce()
            #expect(report.lowered == 1 && report.isNotable)
            #expect(try await stored.number("SELECT low_water_mark FROM subqueue") == 1)
        }
    }

    @Test func `each run rolls up the transition deltas`() async throws {
        try await Stored.use { stored in
            var rollup = TransitionRollup(store: stored.store, activity: SharedActivity())
            for _ in 0..<12 {
                try await stored.enqueue(1)
                _ = try await rollup.runOnce()
            }
            // One of these runs is a full sweep, which finds rows that were inserted below the cursor after a vacuum.
            for _ in 0..<DeltaScanCursor.sweepEvery { _ = try await rollup.runOnce() }
            #expect(try await stored.number("SELECT count(*) FROM transition_delta") == 0)
            #expect(try await stored.number("SELECT sum(n)::bigint FROM transition_count") == 12)
        }
    }

    @Test func `a dead worker is logged once`() async throws {
        try await Stored.use { stored in
            let worker = WorkerDescription(
                incarnation: UUID(high: 1, low: 1), name: "w-1", host: "h-1", version: "0", queues: nil, concurrency: 1)
            _ = try await stored.registry.join(worker)
            let policy = RetentionPolicy(succeededHours: 1, failedHours: 1, cancelledHours: 1)
            let pruner = WorkerPruner(registry: stored.registry, policy: policy, logger: logger)
            #expect(try await !pruner.runOnce().isNotable)
            _ = try await stored.general.execute(sql: "UPDATE worker SET expires_at = clock_timestamp()")
            let report = try await pruner.runOnce()
            #expect(report.dead == 1 && report.deleted == 0)
            #expect(try await pruner.runOnce().dead == 0)
            #expect(log.lines().count == 1 && log.lines()[0].contains(#""worker":"w-1""#))
        }
    }

    @Test func `partitions are created ahead, once`() async throws {
        try await Stored.use { stored in
            let keeper = PartitionKeeper(store: stored.store, partitionDays: 1)
            let partitions = try await stored.number("SELECT count(*) FROM job_partition")
            #expect(try await keeper.runOnce().created == 0)
            _ = try await stored.general.execute(sql: "DELETE FROM job_partition WHERE starts > current_date")
            _ = try await stored.general.execute(
                sql: """
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
            #expect(try await stored.number("SELECT count(*) FROM job_partition") == partitions)
        }
    }

    @Test func `a sweep over many jobs takes several runs, and the next sweep starts again`() async throws {
        try await Stored.use { stored in
            let perRun = Int(RetentionCleaner.batchMax) * RetentionCleaner.batchesMax
            var parameters = Parameters()
            parameters.append(Int32(perRun + 500))
            _ = try await stored.general.execute(
                sql: "SELECT register_subqueues(ARRAY['old'], ARRAY['work'], ARRAY[0]::smallint[], ARRAY[false])")
            _ = try await stored.general.execute(
                sql: """
                    INSERT INTO outcome (id, finished_at, subqueue_id, attempt, status)
                    SELECT overlay(gen_random_uuid()::text
                                   PLACING left(uuid_at(clock_timestamp() - interval '2 days')::text, 13) FROM 1 FOR 13)
                               ::uuid,
                           clock_timestamp() - interval '2 days', 1, 1, 'succeeded'
                    FROM generate_series(1, $1::int)
                    """, parameters)
            let policy = RetentionPolicy(succeededHours: 24, failedHours: 168, cancelledHours: 24)
            var cleaner = RetentionCleaner(store: stored.store, policy: policy)
            let first = try await cleaner.runOnce()
            #expect(first.removed == perRun && first.dueIn == .zero)
            let second = try await cleaner.runOnce()
            #expect(second.removed == 500 && second.dueIn == nil)
            #expect(try await stored.number("SELECT count(*) FROM outcome") == 0)
            let third = try await cleaner.runOnce()
            #expect(third.removed == 0 && !third.isNotable)
        }
    }

    @Test func `idempotency keys older than a day are pruned, newer ones stay`() async throws {
        try await Stored.use { stored in
            for number in 0..<3 {
                let request = IdempotentRequest(key: "key \(number)", digest: [UInt8(number)])
                _ = try await stored.store.insert(NewJob(type: "work"), as: request)
            }
            _ = try await stored.general.execute(
                sql: """
                    UPDATE idempotency_key SET created_at = created_at - interval '24 hours' WHERE key <> 'key 1'
                    """)
            let pruner = IdempotencyKeyPruner(store: stored.store)
            let report = try await pruner.runOnce()
            #expect(report.deleted == 2 && report.isNotable && report.dueIn == nil)
            #expect(try await pruner.runOnce().deleted == 0)
            #expect(try await stored.number("SELECT count(*) FROM idempotency_key WHERE key = 'key 1'") == 1)
        }
    }
}
