import EventLoop
import Jobs
import Pauses
import Postgres
import TestKit
import Testing
import Values
import Workers

extension Fixture {
    /// Removes every succeeded job.
    fileprivate func removeSucceeded() async throws {
        _ = try await sweep(RetentionPolicy(succeededHours: 0, failedHours: 1, cancelledHours: 1))
    }

    /// Creates a job, runs it, and removes it.
    fileprivate func use(queue: String, _ change: (inout NewJob) -> Void = { _ in }) async throws {
        let job = try await leaseNew { job in
            job.queue = queue
            change(&job)
        }
        try await finish(job)
        try await removeSucceeded()
    }

    /// Retires the subqueues of a queue in the way in which a removal does.
    fileprivate func retire(queue: String) async throws {
        try await sql(
            """
            UPDATE subqueue b SET retired_at = clock_timestamp() FROM queue q WHERE q.id = b.queue_id AND q.name = $1
            """, texts: [queue])
    }

    fileprivate func rows(of queue: String) async throws -> Int64 {
        try await sql("SELECT count(*) FROM jobs WHERE queue = $1", texts: [queue]).decodeOnly()
    }
}

@Suite struct RemoveQueueTests {
    private static func job(_ queue: String, _ change: (inout NewJob) -> Void = { _ in }) -> NewJob {
        var job = NewJob(type: "work")
        job.queue = queue
        change(&job)
        return job
    }

    /// Each takes another statement, or another way to it.
    private static let creations: [(String, @Sendable (JobStore) async throws -> UUID)] = [
        ("plain", { try await $0.insert(job("a")).id }),
        ("full", { try await $0.insert(job("a") { $0.tags = ["x"] }).id }),
        ("delayed", { try await $0.insert(job("a") { $0.runAt = .now() + .seconds(600) }).id }),
        ("unique", { try await $0.insert(job("a") { $0.uniqueKey = "k" }).id }),
        ("bulk", { try await $0.insertAll([job("b"), job("a")]).ids[1] }),
        (
            "idempotent",
            { store in
                let request = IdempotentRequest(key: "k", digest: [1])
                guard case .created(let job) = try await store.insert(job("a"), as: request) else { return UUID.zero }
                return job.id
            }
        ),
    ]

    // MARK: What is removed

    @Test func `a queue without jobs is removed with its settings and counts, and can be created again`()
        async throws
    {
        try await Fixture.use { fixture in
            var settings = QueueSettings()
            settings.rate = StartRate(count: 100, seconds: 1, burst: 100)
            try await fixture.jobs.configure(queue: "a", settings)
            try await fixture.use(queue: "a")
            try await fixture.use(queue: "a") { $0.concurrencyKey = "k" }
            try await fixture.sql(
                """
                INSERT INTO low_water_mark (priority, subqueue_id, seq) SELECT priority, id, 1 FROM subqueue
                ON CONFLICT DO NOTHING
                """)
            try await fixture.use(queue: "b")
            _ = try await fixture.jobs.rollUpDeltas(atMost: 3, from: 0)
            let before = try await fixture.transitions()

            #expect(try await fixture.jobs.remove(queue: "a") == .removed)
            #expect(try await fixture.jobs.remove(queue: "a") == .unknown)
            #expect(try await fixture.queues.find("a") == nil)
            for table in ["queue", "subqueue"] { #expect(try await fixture.count(table) == 1, "\(table)") }
            #expect(try await fixture.count("queue_rate") == 0)
            #expect(try await fixture.number("SELECT count(*) FROM low_water_mark WHERE seq = 1") == 0)
            #expect(try await fixture.number("SELECT count(DISTINCT subqueue_id) FROM transition_count") == 1)
            #expect(try await fixture.countMismatches() == 0)
            let enqueued = try #require(before["enqueued"])
            #expect(try await fixture.transitions()["enqueued"] == enqueued - 2)

            try await fixture.jobs.insert(Self.job("a"))
            #expect(try await fixture.queues.find("a")?.settings == QueueSettings())
            #expect(try await fixture.queues.find("a")?.depths[.queued] == 1)
        }
    }

    @Test func `the counters of the other queues together do not fall`() async throws {
        try await Fixture.use { fixture in
            for queue in ["a", "b"] {
                try await fixture.use(queue: queue)
                try await fixture.sql("UPDATE queue SET in_metrics = false")
                try await fixture.use(queue: queue)
            }
            while try await fixture.jobs.rollUpDeltas(atMost: 2, from: 0).rows > 0 {}
            try await fixture.sql("DELETE FROM queue_transition_total WHERE queue_id = 0")
            try await fixture.sql(
                """
                INSERT INTO queue_transition_total
                SELECT 0, transition, sum(n) FROM queue_transition_total GROUP BY transition
                """)
            try await fixture.use(queue: "a")
            let before = try await fixture.transitions()
            #expect(before["enqueued"] == 5)
            #expect(try await fixture.jobs.remove(queue: "a") == .removed)
            #expect(try await fixture.transitions() == before)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a queue with jobs in any status is not removed, and they are counted`() async throws {
        try await Fixture.use { fixture in
            var ids = try await fixture.enqueue(5) { $0.queue = "a" }
            let leased = try await fixture.lease(4)
            try await fixture.requestCancel(leased[0].id)
            try await fixture.finish(leased[1])
            try await fixture.finish(leased[2], .failed(error: "no"))
            ids += try await fixture.enqueue(2) {
                $0.queue = "a"
                $0.runAt = .now() + .seconds(600)
            }
            _ = try await fixture.jobs.cancel(ids[6])
            let depth = try #require(try await fixture.queues.find("a")?.depths.filter { $0.value > 0 })
            #expect(depth.values.reduce(0, +) == 7)
            #expect(try await fixture.jobs.remove(queue: "a") == .hasJobs(depth))
            #expect(try await fixture.number("SELECT count(*) FROM subqueue WHERE retired_at IS NOT NULL") == 0)
            #expect(try await fixture.rows(of: "a") == 7)
        }
    }

    @Test func `a paused queue is not removed; a resumed one is, and its history stays`() async throws {
        try await Fixture.use { fixture in
            try await fixture.use(queue: "a")
            try await fixture.setPause(.queue("a"), true)
            #expect(try await fixture.jobs.remove(queue: "a") == .isPaused)
            #expect(try await fixture.count("subqueue") == 1)
            try await fixture.setPause(.queue("a"), false)
            #expect(try await fixture.jobs.remove(queue: "a") == .removed)
            #expect(try await fixture.count("pause_state") == 0)
            #expect(try await fixture.pauses.latest().version == 2)
            #expect(try await fixture.historyFaults().isEmpty)
            // As a queue that was never paused.
            try await fixture.setPause(.queue("a"), true, expecting: 0)
            #expect(try await fixture.pauses.latest().version == 3)
        }
    }

    // MARK: Creations with cached ids

    @Test(arguments: 0..<creations.count)
    func `a job goes to a new subqueue if the one that was known is retired or removed`(_ number: Int) async throws {
        let (name, create) = Self.creations[number]
        try await Fixture.use { fixture in
            for queue in ["a", "b"] { try await fixture.use(queue: queue) }
            try await fixture.withOther { other in
                // The cache of the other process is warm.
                for isKeyed in [false, true] {
                    let key: String? = isKeyed ? "warm" : nil
                    try await other.jobs.insert(Self.job("a") { $0.uniqueKey = key })
                    for job in try await fixture.lease(2) { try await fixture.finish(job) }
                    try await fixture.removeSucceeded()
                }
                #expect(try await fixture.jobs.remove(queue: "a") == .removed, "\(name)")
                let id = try await create(other.jobs)
                #expect(try await fixture.job(id).queue == "a", "\(name)")
                #expect(try await fixture.countMismatches() == 0)
            }
        }
        try await Fixture.use { fixture in
            let first = try await create(fixture.jobs)
            try await fixture.makeDue()
            try await fixture.sql("DELETE FROM unique_key_holder")
            try await fixture.sql("DELETE FROM idempotency_key")
            try await fixture.retire(queue: "a")
            let second = try await create(fixture.jobs)
            #expect(first != second)
            #expect(try await fixture.ids("SELECT id FROM job").isSuperset(of: [first, second]))
            #expect(try await fixture.number("SELECT count(*) FROM subqueue WHERE retired_at IS NOT NULL") == 0)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `the teardown of a stuck job goes to a new subqueue`() async throws {
        try await Fixture.use { fixture in
            try await fixture.use(queue: "lab") { $0 = Self.job("lab") }
            let held = try await fixture.leaseNew { $0.teardown = Array(#"{"type":"work","queue":"lab"}"#.utf8) }
            try await fixture.requestCancel(held.id)
            let removal = try await fixture.withOther { try await $0.jobs.remove(queue: "lab") }
            #expect(removal == .removed)
            let order = WatchdogOrder(olderThanMinutes: 0, jobsMax: 5, action: .force)
            let ended = try await fixture.jobs.endStuck(order)
            let teardown = try #require(ended.first?.teardownID)
            #expect(try await fixture.job(teardown).queue == "lab")
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    // MARK: Open transactions

    /// Removals that do not wait for long.
    private func withImpatientStore(_ fixture: Fixture, _ body: (JobStore) async throws -> Void) async throws {
        var options = ConnectionPool.Options(size: 2)
        options.lockWaitMax = .milliseconds(200)
        let pool = ConnectionPool(fixture.database.settings, options: options, on: TestLoop.shared)
        defer { pool.close() }
        try await body(JobStore(hot: fixture.hot, general: pool, subqueues: SubqueueDirectory()))
    }

    @Test(arguments: [false, true])
    func `a removal waits for an open transaction with a job of the queue`(isNew: Bool) async throws {
        try await Fixture.use { fixture in
            try await fixture.use(queue: "a")
            try await withImpatientStore(fixture) { store in
                if isNew { #expect(try await store.remove(queue: "a") == .removed) }
                let id: UUID = try await fixture.general.transaction { transaction in
                    let id: UUID = try await transaction.execute(
                        sql: #"SELECT enqueue('work', 'null', '{"queue":"a"}')"#
                    ).decodeOnly()
                    let expected: QueueRemoval = isNew ? .unknown : .isBusy
                    #expect(try await store.remove(queue: "a") == expected)
                    return id
                }
                #expect(try await fixture.job(id).queue == "a")
                #expect(try await store.remove(queue: "a") == .hasJobs([.queued: 1]))
                #expect(try await fixture.countMismatches() == 0)
            }
        }
    }

    @Test func `an open transaction with a job of another queue delays no creation`() async throws {
        try await Fixture.use { fixture in
            for queue in ["a", "b"] { try await fixture.use(queue: queue) }
            try await withImpatientStore(fixture) { store in
                try await fixture.general.transaction { transaction in
                    _ = try await transaction.execute(sql: #"SELECT enqueue('work', 'null', '{"queue":"b"}')"#)
                    let removal = Task(executorPreference: TestLoop.shared) { try await store.remove(queue: "a") }
                    for _ in 0..<20 { try await fixture.jobs.insert(Self.job("c")) }
                    #expect(try await removal.value == .isBusy)
                }
                #expect(try await store.remove(queue: "a") == .removed)
            }
        }
    }

    /// Its snapshot is older than the removal, and it does not see what has happened since.
    @Test(arguments: [DatabaseConnection.Isolation.repeatableRead, .serializable], [false, true])
    func `a transaction with an old snapshot creates no job in a retired or removed subqueue`(
        isolation: DatabaseConnection.Isolation, isRemoved: Bool
    ) async throws {
        try await Fixture.use { fixture in
            try await fixture.use(queue: "a")
            let enqueue = #"SELECT enqueue('work', 'null', '{"queue":"a"}')"#
            let error = await #expect(throws: PostgresError.self) {
                try await fixture.general.withConnection { connection in
                    try await connection.transaction(isolation) { transaction in
                        _ = try await transaction.execute(sql: "SELECT count(*) FROM job")
                        if isRemoved {
                            #expect(try await fixture.jobs.remove(queue: "a") == .removed)
                        } else {
                            try await fixture.retire(queue: "a")
                        }
                        _ = try await transaction.execute(sql: enqueue)
                    }
                }
            }
            #expect(error?.sqlState == .serializationFailure)
            let id: UUID = try await fixture.general.withConnection { connection in
                try await connection.transaction(isolation) { transaction in
                    try await transaction.execute(sql: enqueue).decodeOnly()
                }
            }
            #expect(try await fixture.job(id).queue == "a")
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a removal waits for a statement that has looked for its subqueue already`() async throws {
        try await Fixture.use { fixture in
            try await fixture.use(queue: "a")
            try await fixture.sql(
                """
                CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$
                """)
            try await fixture.sql("CREATE TRIGGER pause BEFORE INSERT ON ready FOR EACH ROW EXECUTE FUNCTION pause()")
            let creation = Task(executorPreference: TestLoop.shared) { try await fixture.jobs.insert(Self.job("a")).id }
            try await waitUntil("the creation has its snapshot") {
                try await fixture.number(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' "
                        + "AND datname = current_database()") == 1
            }
            #expect(try await fixture.jobs.remove(queue: "a") == .hasJobs([.queued: 1]))
            #expect(try await fixture.job(try await creation.value).queue == "a")
        }
    }

    // MARK: Races

    @Test(.timeLimit(.minutes(3)))
    func `every acknowledged job exists, whatever is removed at the same time`() async throws {
        try await Fixture.use { fixture in
            try await fixture.withStores(4) { stores in
                let queues = ["a", "b", "c"]
                let made = try await withThrowingTaskGroup(of: [UUID].self) { group in
                    for (number, store) in stores.enumerated() {
                        group.addTask(executorPreference: TestLoop.shared) {
                            try await Self.createAndRemove(100, queues, store, fixture, seed: number)
                        }
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                let removed = try await fixture.number(
                    "SELECT count(*) FROM unnest('{\(made.map(\.description).joined(separator: ","))}'::uuid[]) g (id) "
                        + "WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.id = g.id)")
                // A job leaves the tables only when this test removes it: `ran` has those.
                let ran = try await fixture.number("SELECT COALESCE(sum(n), 0)::bigint FROM ran")
                #expect(removed == ran && made.count >= 400)
                #expect(try await fixture.countMismatches() == 0)
                #expect(
                    try await fixture.number(
                        "SELECT count(*) FROM job j WHERE NOT EXISTS (SELECT FROM subqueue b WHERE b.id = j.subqueue_id)"
                    ) == 0)
            }
        }
    }

    /// Creates jobs in one of several ways, empties a queue with each tenth one, and tries to remove a queue each time.
    private static func createAndRemove(
        _ count: Int, _ queues: [String], _ store: JobStore, _ fixture: Fixture, seed: Int
    ) async throws -> [UUID] {
        try await fixture.sql("CREATE TABLE IF NOT EXISTS ran (n bigint)")
        var ids: [UUID] = []
        for number in 0..<count {
            let queue = queues[(number + seed) % queues.count]
            switch (number + seed) % 4 {
            case 0: ids.append(try await store.insert(job(queue)).id)
            case 1: ids += try await store.insertAll([job(queue), job(queues[0]) { $0.tags = ["x"] }]).ids
            case 2: ids.append(try await store.insert(job(queue) { $0.uniqueKey = "\(seed) \(number)" }).id)
            default:
                let sql = #"SELECT enqueue('work', 'null', jsonb_build_object('queue', '\#(queue)'))"#
                ids.append(try await fixture.sql(sql).decodeOnly())
            }
            let leased = try await store.lease(
                LeaseRequest(queues: nil, excludedTypes: [], count: 5, worker: 1, leaseSeconds: 60))
            _ = try await store.finish(
                leased.map { FinishedAttempt(lease: $0.held, result: .succeeded(result: nil)) })
            let policy = RetentionPolicy(succeededHours: 0, failedHours: 1, cancelledHours: 1)
            let batch = try await store.removeEnded(policy, after: .start, atMost: 1_000)
            try await fixture.sql("INSERT INTO ran VALUES (\(batch.count))")
            _ = try await store.remove(queue: queue)
        }
        return ids
    }

    @Test(.timeLimit(.minutes(2)))
    func `settings, pauses and removals of a queue at the same time do no harm to each other`() async throws {
        try await Fixture.use { fixture in
            try await fixture.withOther { other in
                let removal = Task(executorPreference: TestLoop.shared) {
                    for _ in 0..<100 { _ = try await other.jobs.remove(queue: "a") }
                }
                for number in 0..<100 {
                    try await fixture.jobs.configure(queue: "a", QueueSettings())
                    try await fixture.setPause(.queue("a"), number.isMultiple(of: 2))
                    try await fixture.jobs.insert(Self.job("a"))
                    try await fixture.setPause(.queue("a"), false)
                    for job in try await fixture.lease(5) { try await fixture.finish(job) }
                    try await fixture.removeSucceeded()
                }
                try await removal.value
                #expect(try await fixture.historyFaults().isEmpty)
                #expect(try await fixture.countMismatches() == 0)
            }
        }
    }

    // MARK: Retiring

    @Test func `a subqueue without jobs is removed when it has rested, with its queue if that has no settings`()
        async throws
    {
        try await Fixture.use { fixture in
            var settings = QueueSettings()
            settings.failedHours = 5
            for queue in ["a", "kept", "named", "used"] { try await fixture.jobs.configure(queue: queue, settings) }
            try await fixture.sql("UPDATE queue SET in_metrics = name = 'named'")
            try await fixture.sql("UPDATE queue SET failed_hours = NULL WHERE name <> 'kept'")
            for queue in ["a", "kept", "named", "used"] { try await fixture.use(queue: queue) }
            try await fixture.enqueue(1) { $0.queue = "used" }

            let first = try await fixture.jobs.retireEmptySubqueues(after: 0, atMost: 2)
            let second = try await fixture.jobs.retireEmptySubqueues(after: try #require(first.next), atMost: 100)
            #expect(first.retired == 2 && second.retired == 1 && second.next == nil)
            #expect(try await fixture.jobs.retireEmptySubqueues(after: 0, atMost: 100).retired == 0)
            let none = try await fixture.jobs.removeRetiredSubqueues(restingFor: .seconds(60), after: 0, atMost: 100)
            #expect(none.subqueues == 0 && none.queues == 0)

            try await fixture.ageRetiredSubqueues(hours: 1)
            try await fixture.enqueue(1) { $0.queue = "named" }
            let removal = try await fixture.jobs.removeRetiredSubqueues(restingFor: .seconds(60), after: 0, atMost: 100)
            #expect(removal.subqueues == 2 && removal.queues == 1 && removal.next == nil)
            let names = try await fixture.sql("SELECT name FROM queue ORDER BY name").decode(as: String.self)
            #expect(names == ["kept", "named", "used"])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `the name of a removed queue in the metrics is free when no live worker counts under it`() async throws {
        try await Fixture.use { fixture in
            try await fixture.sql("INSERT INTO queue (name) SELECT 'q' || i FROM generate_series(1, 199) i")
            try await fixture.use(queue: "a")
            let worker = WorkerDescription(
                incarnation: UUID(high: 1, low: 1), name: "w", host: "h", version: "0", queues: nil, concurrency: 1)
            let id = try await fixture.workers.join(worker)
            let counters = Array(
                #"{"job_wait_seconds_sum{queue=\"a\"}":1,"job_wait_seconds_sum{queue=\"q1\"}":1}"#.utf8)
            _ = try await fixture.workers.heartbeat(id: id, running: 0, counters: counters)
            #expect(try await fixture.jobs.remove(queue: "a") == .removed)
            #expect(try await fixture.jobs.releaseMetricNames() == 0)

            // It has its name again; others have none.
            try await fixture.jobs.insertAll([Self.job("a"), Self.job("b")])
            let named = "SELECT name FROM queue WHERE in_metrics AND name IN ('a', 'b', 'c')"
            #expect(try await fixture.sql(named).decode(as: String.self) == ["a"])
            for job in try await fixture.lease(5) { try await fixture.finish(job) }
            try await fixture.removeSucceeded()
            #expect(try await fixture.jobs.remove(queue: "a") == .removed)

            try await fixture.workers.deregister(id: id, counters: counters)
            #expect(try await fixture.jobs.releaseMetricNames() == 1)
            #expect(try await fixture.workers.series().map(\.series) == [#"job_wait_seconds_sum{queue="q1"}"#])
            try await fixture.jobs.insert(Self.job("c"))
            #expect(try await fixture.sql(named).decode(as: String.self) == ["c"])
        }
    }

    @Test func `a retired subqueue with a job is taken into use again`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1) { $0.queue = "a" }
            try await fixture.retire(queue: "a")
            let removal = try await fixture.jobs.removeRetiredSubqueues(restingFor: .zero, after: 0, atMost: 100)
            #expect(removal.subqueues == 0)
            #expect(try await fixture.number("SELECT count(*) FROM subqueue WHERE retired_at IS NULL") == 1)
        }
    }
}

extension UUID {
    fileprivate static let zero = UUID(high: 0, low: 0)
}
