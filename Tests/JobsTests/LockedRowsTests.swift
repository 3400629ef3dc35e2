import EventLoop
import Jobs
import Pauses
import Postgres
import TestKit
import Testing
import Values

/// A transaction of a stranger stays open: it delays what shares its key or its job, and nothing else.
@Suite struct LockedRowsTests {
    /// Longer than any wait for a lock in one try, and much shorter than the transaction stays open.
    private static let atOnce = Duration.seconds(3)

    private struct RolledBack: Error {}

    private static func job(_ key: String? = nil, type: String = "work") -> NewJob {
        var job = NewJob(type: type)
        job.uniqueKey = key
        return job
    }

    /// Another process with one session of each kind: whatever waits on it is in the way of everything else.
    private func withOneSession(
        lockWaitMax: Duration = .seconds(30), _ body: @Sendable (Fixture, JobStore) async throws -> Void
    ) async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.create()
            var options = ConnectionPool.Options(size: 1)
            options.lockWaitMax = lockWaitMax
            let pool = ConnectionPool(fixture.database.settings, profile: .hot, options: options, on: TestLoop.shared)
            defer { pool.close() }
            let store = JobStore(hot: pool, general: fixture.general, subqueues: SubqueueDirectory())
            _ = try await store.insert(Self.job())
            try await body(fixture, store)
        }
    }

    @discardableResult
    private func expectAtOnce<Value>(
        _ what: Comment, _ body: () async throws -> Value, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Value {
        let start = MonotonicInstant.now()
        let value = try await body()
        #expect(MonotonicInstant.now() - start < Self.atOnce, what, sourceLocation: sourceLocation)
        return value
    }

    private func enqueue(_ transaction: Transaction, _ options: String, type: String = "work") async throws -> UUID {
        try await transaction.execute(sql: "SELECT enqueue('\(type)', 'null', '\(options)')").decodeOnly()
    }

    // MARK: Creating

    /// Each try draws an id of the queue, whether it succeeds or not.
    @Test func `the first jobs of a queue that is being created elsewhere wait together, and others do not`()
        async throws
    {
        try await withOneSession { fixture, store in
            let waiting = try await fixture.general.transaction { transaction in
                _ = try await enqueue(transaction, #"{"queue":"new"}"#)
                let waiting = (0..<100).map { _ in
                    Task(executorPreference: TestLoop.shared) {
                        var job = Self.job()
                        job.queue = "new"
                        return try await store.insert(job).id
                    }
                }
                try await fixture.waitUntilBlocked()
                for number in 0..<20 {
                    var job = Self.job()
                    job.queue = "other-\(number)"
                    _ = try await expectAtOnce("another queue") { try await store.insert(job) }
                }
                return waiting
            }
            for task in waiting { _ = try await task.value }
            #expect(try await fixture.number("SELECT count(*) FROM queue") == 22)
            #expect(try await fixture.number("SELECT max(id)::bigint FROM queue") < 60)
        }
    }

    @Test func `a key that an open transaction holds delays only the jobs with that key`() async throws {
        try await withOneSession { fixture, store in
            let (stranger, waiting) = try await fixture.general.transaction { transaction in
                let stranger = try await enqueue(transaction, #"{"unique_key":"a"}"#)
                let waiting = (0..<20).map { _ in
                    Task(executorPreference: TestLoop.shared) { try await store.insert(Self.job("a")).id }
                }
                try await fixture.waitUntilBlocked()
                for number in 0..<20 {
                    _ = try await expectAtOnce("without a key") { try await store.insert(Self.job()) }
                    _ = try await expectAtOnce("another key") { try await store.insert(Self.job("b \(number)")) }
                    let request = IdempotentRequest(key: "i \(number)", digest: [1])
                    _ = try await expectAtOnce("an idempotency key") { try await store.insert(Self.job(), as: request) }
                }
                _ = try await expectAtOnce("a bulk request") { try await store.insertAll([Self.job("c"), Self.job()]) }
                #expect(try await fixture.number("SELECT count(*) FROM job WHERE unique_key = 'a'") == 0)
                return (stranger, waiting)
            }
            for task in waiting { #expect(try await task.value == stranger) }
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `many locked keys delay no job with another key`() async throws {
        try await withOneSession { fixture, store in
            let waiting = try await fixture.general.transaction { transaction in
                for number in 0..<60 { _ = try await enqueue(transaction, #"{"unique_key":"\#(number)"}"#) }
                let waiting = (0..<60).map { number in
                    Task(executorPreference: TestLoop.shared) { try await store.insert(Self.job("\(number)")).id }
                }
                try await fixture.waitUntilBlocked()
                for number in 0..<10 {
                    _ = try await expectAtOnce("another key") { try await store.insert(Self.job("b \(number)")) }
                    _ = try await expectAtOnce("without a key") { try await store.insert(Self.job()) }
                }
                return waiting
            }
            for task in waiting { _ = try await task.value }
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `the jobs of a locked key are created once when its transaction is rolled back`() async throws {
        try await withOneSession { fixture, store in
            var waiting: [Task<UUID, any Error>] = []
            await #expect(throws: RolledBack.self) {
                try await fixture.general.transaction { transaction in
                    _ = try await enqueue(transaction, #"{"unique_key":"a"}"#)
                    waiting = (0..<20).map { _ in
                        Task(executorPreference: TestLoop.shared) { try await store.insert(Self.job("a")).id }
                    }
                    try await fixture.waitUntilBlocked()
                    throw RolledBack()
                }
            }
            var ids: Set<UUID> = []
            for task in waiting { ids.insert(try await task.value) }
            #expect(ids.count == 1)
            #expect(try await fixture.number("SELECT count(*) FROM job WHERE unique_key = 'a'") == 1)
        }
    }

    @Test func `an idempotency key that is locked delays only its request, also where a unique key is shared`()
        async throws
    {
        try await withOneSession { fixture, store in
            let request = IdempotentRequest(key: "locked", digest: [1])
            let waiting = try await fixture.general.transaction { transaction in
                _ = try await transaction.execute(
                    sql: """
                        INSERT INTO idempotency_key (key, digest, request_id, created_at)
                        VALUES ('locked', '\\x01', gen_random_uuid(), clock_timestamp())
                        """)
                let waiting = Task(executorPreference: TestLoop.shared) {
                    try await store.insert(Self.job("a"), as: request)
                }
                try await fixture.waitUntilBlocked()
                _ = try await expectAtOnce("the same unique key") { try await store.insert(Self.job("a")) }
                _ = try await expectAtOnce("without a key") { try await store.insert(Self.job()) }
                _ = try await transaction.execute(sql: "DELETE FROM idempotency_key")
                return waiting
            }
            guard case .existing = try await waiting.value else {
                Issue.record("the waiting request must find the job of its unique key")
                return
            }
        }
    }

    @Test func `a bulk request with a locked key waits alone, and creates all of its jobs`() async throws {
        try await withOneSession { fixture, store in
            let waiting = try await fixture.general.transaction { transaction in
                _ = try await enqueue(transaction, #"{"unique_key":"a"}"#)
                let waiting = Task(executorPreference: TestLoop.shared) {
                    try await store.insertAll([Self.job("a"), Self.job("b"), Self.job()])
                }
                try await fixture.waitUntilBlocked()
                for _ in 0..<10 { _ = try await expectAtOnce("without a key") { try await store.insert(Self.job()) } }
                _ = try await expectAtOnce("a key of the request") { try await store.insert(Self.job("b")) }
                return waiting
            }
            #expect(try await waiting.value.existing == [true, true, false])
        }
    }

    @Test func `a job whose key stays locked is not created after the time limit`() async throws {
        try await withOneSession(lockWaitMax: .milliseconds(400)) { fixture, store in
            try await fixture.general.transaction { transaction in
                _ = try await enqueue(transaction, #"{"unique_key":"a"}"#)
                let single = await failure { _ = try await store.insert(Self.job("a")) }
                #expect(single?.sqlState == .lockNotAvailable && single?.isOutcomeUnknown == false)
                let bulk = await failure { _ = try await store.insertAll([Self.job(), Self.job("a")]) }
                #expect(bulk?.sqlState == .lockNotAvailable)
            }
            // The stranger's own job is there.
            #expect(try await fixture.count("job") == 3)
        }
    }

    @Test func `a new queue or type of an open transaction delays only jobs that use the same`() async throws {
        try await withOneSession { fixture, store in
            let waiting = try await fixture.general.transaction { transaction in
                _ = try await enqueue(transaction, #"{"queue":"new"}"#, type: "mail")
                var job = Self.job(type: "mail")
                job.queue = "new"
                let waiting = Task(executorPreference: TestLoop.shared) { [job] in try await store.insert(job).id }
                try await fixture.waitUntilBlocked()
                for _ in 0..<10 { _ = try await expectAtOnce("known names") { try await store.insert(Self.job()) } }
                _ = try await expectAtOnce("a new type") { try await store.insert(Self.job(type: "fax")) }
                return waiting
            }
            _ = try await waiting.value
        }
    }

    // MARK: Running

    @Test func `leases that handlers have locked do not delay the results and renewals of others`() async throws {
        try await withOneSession { fixture, store in
            try await fixture.enqueue(8)
            let leased = try await fixture.lease(10).map(\.held)
            let attempts = leased.map { FinishedAttempt(lease: $0, result: .succeeded(result: nil)) }
            let gone = FinishedAttempt(lease: HeldLease(id: leased[0].id, token: 0), result: .released)
            try await fixture.general.transaction { transaction in
                for lease in leased.prefix(2) {
                    var parameters = Parameters()
                    parameters.append(lease.id)
                    parameters.append(lease.token)
                    _ = try await transaction.execute(sql: "SELECT assert_lease($1, $2)", parameters)
                }
                let answers = try await expectAtOnce("results") { try await store.finish(attempts + [gone]) }
                #expect(answers.prefix(2) == [.locked, .locked])
                #expect(answers.dropFirst(2).dropLast().allSatisfy { $0 == .succeeded })
                #expect(answers.last == .leaseLost)
                let renewed = try await store.renew(leased, leaseSeconds: 600)
                #expect(renewed == [leased[0]: .kept, leased[1]: .kept])
            }
            #expect(try await store.finish(Array(attempts.prefix(2))) == [.succeeded, .succeeded])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a lease that is locked is neither renewed nor lost, and the others are renewed`() async throws {
        try await withOneSession { fixture, store in
            try await fixture.enqueue(3)
            let leased = try await fixture.lease(10).map(\.held)
            let gone = HeldLease(id: leased[1].id, token: leased[1].token - 1)
            try await fixture.general.transaction { transaction in
                var parameters = Parameters()
                parameters.append(leased[0].id)
                _ = try await transaction.execute(sql: "SELECT FROM lease WHERE id = $1 FOR UPDATE", parameters)
                let renewed = try await expectAtOnce("a renewal") {
                    try await store.renew(leased + [gone], leaseSeconds: 600)
                }
                var expected = Dictionary(uniqueKeysWithValues: leased.map { ($0, RenewedLease.kept) })
                expected[leased[0]] = .locked
                #expect(renewed == expected)
            }
        }
    }

    @Test func `a progress row that is locked delays no other report`() async throws {
        try await withOneSession { fixture, store in
            try await fixture.enqueue(3)
            let leased = try await fixture.lease(3).map(\.held)
            let report = ProgressReport(percent: 10, message: nil)
            let reports = Dictionary(uniqueKeysWithValues: leased.map { ($0, report) })
            #expect(try await store.report([leased[0]: report]) == 1)
            try await fixture.general.transaction { transaction in
                _ = try await transaction.execute(sql: "SELECT FROM progress FOR UPDATE")
                #expect(try await expectAtOnce("reports") { try await store.report(reports) } == 2)
            }
            #expect(try await store.report(reports) == 3)
        }
    }

    // MARK: Changing

    @Test func `a bulk change leaves locked jobs as they are, and changes all others`() async throws {
        try await withOneSession { fixture, store in
            var ids: [UUID] = []
            for number in 0..<12 { ids.append(try await store.insert(Self.job("key \(number)")).id) }
            for id in ids { #expect(try await store.cancel(id).done == .cancelled) }
            var bulk = BulkChange(.retry)
            bulk.filter.status = .cancelled
            let retrying = try await fixture.general.transaction { transaction in
                for number in [3, 8] { _ = try await enqueue(transaction, #"{"unique_key":"key \#(number)"}"#) }
                var report = BulkReport()
                try await expectAtOnce("a bulk retry") { try await store.change(bulk, into: &report) }
                #expect(report.matched.count == 12 && report.changed == 10 && report.locked == 2)
                #expect(!report.ids.contains(ids[3]) && !report.ids.contains(ids[8]))
                let retrying = Task(executorPreference: TestLoop.shared) { [id = ids[3]] in try await store.retry(id) }
                try await fixture.waitUntilBlocked()
                _ = try await expectAtOnce("another job") { try await store.cancel(ids[0]) }
                _ = try await expectAtOnce("a new job") { try await store.insert(Self.job()) }
                return retrying
            }
            // Another job holds its key.
            #expect(try await retrying.value.refused == .cancelled)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `limits and pauses that wait for a transaction delay no lease`() async throws {
        try await withOneSession { fixture, store in
            try await fixture.enqueue(20)
            let (configuring, pausing) = try await fixture.general.transaction { transaction in
                // Holds the row of `default` and, of `new`, a row that is not committed.
                _ = try await enqueue(transaction, "{}", type: "mail")
                _ = try await enqueue(transaction, #"{"queue":"new"}"#)
                let configuring = Task(executorPreference: TestLoop.shared) {
                    try await fixture.jobs.configure(queue: "default", QueueSettings())
                }
                try await fixture.waitUntilBlocked(inStatementWith: "configure_queue")
                let pausing = Task(executorPreference: TestLoop.shared) {
                    try await fixture.setPause(.queue("new"), true)
                }
                try await fixture.waitUntilBlocked(inStatementWith: "change_pause_state")
                for _ in 0..<10 {
                    let start = MonotonicInstant.now()
                    let leased = try await store.lease(
                        LeaseRequest(queues: nil, excludedTypes: [], count: 1, worker: 1, leaseSeconds: 60))
                    #expect(leased.count == 1)
                    #expect(MonotonicInstant.now() - start < Self.atOnce)
                    // While the gate is waited for or held, no lease begins.
                    let gates = try await fixture.number(
                        """
                        SELECT count(*) FROM pg_locks k JOIN pg_database d ON d.oid = k.database
                        WHERE d.datname = current_database() AND k.relation = 'lease_gate'::regclass
                          AND k.mode = 'ExclusiveLock'
                        """)
                    #expect(gates == 0)
                }
                return (configuring, pausing)
            }
            try await configuring.value
            _ = try await pausing.value
        }
    }

    // MARK: Retention

    @Test func `retention does not wait for a key that is held, and a retry meets no deadlock with it`() async throws {
        try await withOneSession { fixture, store in
            try await fixture.insertEnded(4, as: .failed, createdAgo: "200 hours")
            let ids = Array(try await fixture.ids("SELECT id FROM outcome"))
            try await fixture.sql("UPDATE job SET unique_key = id::text WHERE id IN (SELECT id FROM outcome)")
            try await fixture.sql(
                """
                INSERT INTO unique_key_holder (type_id, key, id, subqueue_id)
                SELECT b.type_id, o.id::text, o.id, o.subqueue_id
                FROM outcome o JOIN subqueue b ON b.id = o.subqueue_id
                """)
            let policy = RetentionPolicy(succeededHours: 24, failedHours: 24, cancelledHours: 24)
            await #expect(throws: RolledBack.self) {
                try await fixture.general.transaction { transaction in
                    var parameters = Parameters()
                    parameters.append(ids[0])
                    // The first steps of a retry: it locks the key, and then the outcome.
                    _ = try await transaction.execute(sql: "SELECT conflicting_jobs(ARRAY[$1::uuid])", parameters)
                    let removed = try await expectAtOnce("retention") {
                        try await store.removeEnded(policy, after: .start, atMost: 100)
                    }
                    #expect(removed.failed == 3)
                    _ = try await transaction.execute(sql: "DELETE FROM outcome WHERE id = $1", parameters)
                    throw RolledBack()
                }
            }
            #expect(try await store.removeEnded(policy, after: .start, atMost: 100).failed == 1)
            #expect(try await fixture.count("unique_key_holder") == 0)
        }
    }
}
