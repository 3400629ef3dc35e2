import Postgres
import TestKit
import Testing
import Values

@testable import Jobs

/// Leases from many subqueues: the walk over those that have ready jobs (`ready_subqueues`).
@Suite struct LeaseWalkTests {
    private func request(_ count: Int, queues: [Int32]? = nil, excluding types: [Int32] = []) -> LeaseRequest {
        LeaseRequest(queues: queues, excludedTypes: types, count: count, worker: 1, leaseSeconds: 60)
    }

    /// A job in each of `count` queues.
    private func enqueue(
        _ fixture: Fixture, queues count: Int, _ change: (inout NewJob) -> Void = { _ in }
    ) async throws {
        var jobs: [NewJob] = []
        for number in 0..<count {
            var job = NewJob(type: "a")
            job.queue = "queue-\(number)"
            change(&job)
            jobs.append(job)
        }
        for start in stride(from: 0, to: count, by: 500) {
            _ = try await fixture.jobs.insertAll(Array(jobs[start..<min(count, start + 500)]), as: nil)
        }
    }

    @Test func `a lease takes the jobs of more subqueues than one walk covers`() async throws {
        try await Fixture.use { fixture in
            try await enqueue(fixture, queues: 300)
            var cursor = FairnessCursor()
            #expect(try await fixture.jobs.lease(request(250), cursor: &cursor).jobs.count == 250)
            #expect(try await fixture.jobs.lease(request(250), cursor: &cursor).jobs.count == 50)
            #expect(try await fixture.jobs.lease(request(250), cursor: &cursor).jobs.isEmpty)
        }
    }

    @Test func `a lease visits about as many subqueues as it needs, if there are more than it can order`() {
        var window = WalkWindow()
        func visit(_ used: Int, isFilled: Bool = true, isCut: Bool = true) -> Int {
            window.visited(used: used, isFilled: isFilled, isCut: isCut)
            return window.count
        }
        #expect(visit(10) == 13)
        #expect(visit(1) == 8)
        #expect(visit(8, isFilled: false) == 16)
        #expect(visit(16, isFilled: false) == 32)
        #expect(visit(32, isFilled: false) == 64)
        #expect(visit(64, isFilled: false) == 64)
        #expect(visit(3, isCut: false) == WalkWindow.standard)
    }

    @Test func `subqueues take turns when there are more than one walk covers`() async throws {
        try await Fixture.use { fixture in
            for _ in 0..<4 { try await enqueue(fixture, queues: 100) }
            var cursor = FairnessCursor()
            var queues: Set<String> = []
            for _ in 0..<20 {
                queues.formUnion(try await fixture.jobs.lease(request(10), cursor: &cursor).jobs.map(\.queue))
            }
            // Two of each batch of ten from one queue at the least, since each has four.
            #expect(queues.count >= 50)
        }
    }

    @Test(arguments: [100, 101, 250])
    func `the jobs of a given queue are leased by priority, whether its subqueues are few or many`(count: Int)
        async throws
    {
        try await Fixture.use { fixture in
            var jobs: [NewJob] = []
            for number in 0..<count {
                var job = NewJob(type: "type-\(number)")
                job.priority = Int16(count - number)
                jobs.append(job)
            }
            _ = try await fixture.jobs.insertAll(jobs, as: nil)
            try await enqueue(fixture, queues: 3)
            let queues = try await fixture.jobs.queueIDs(["default"])
            var cursor = FairnessCursor()
            let first = try await fixture.jobs.lease(request(1, queues: queues), cursor: &cursor).jobs
            #expect(first.map(\.type) == ["type-\(count - 1)"])
            var leased = first.count
            while case let more = try await fixture.jobs.lease(request(40, queues: queues), cursor: &cursor).jobs,
                !more.isEmpty
            {
                leased += more.count
            }
            #expect(leased == count)
        }
    }

    @Test func `a better priority comes first, wherever the walk stands`() async throws {
        try await Fixture.use { fixture in
            try await enqueue(fixture, queues: 100)
            var cursor = FairnessCursor()
            #expect(try await fixture.jobs.lease(request(5), cursor: &cursor).jobs.count == 5)
            #expect(cursor.next != nil)
            let urgent = try await fixture.create {
                $0.queue = "urgent"
                $0.priority = -5
            }
            #expect(try await fixture.jobs.lease(request(1), cursor: &cursor).jobs.map(\.id) == [urgent])
            #expect(try await fixture.jobs.lease(request(100), cursor: &cursor).jobs.count == 95)
        }
    }

    @Test func `worse priorities fill a lease`() async throws {
        try await Fixture.use { fixture in
            try await enqueue(fixture, queues: 120) { $0.priority = Int16($0.queue.utf8.count % 3) }
            var cursor = FairnessCursor()
            let first = try await fixture.jobs.lease(request(60), cursor: &cursor).jobs
            #expect(first.count == 60)
            let rest = try await fixture.jobs.lease(request(100), cursor: &cursor).jobs
            #expect(rest.count == 60)
            // Ten and twenty of them are better than the others.
            let better = try await fixture.number(
                """
                SELECT count(*) FROM lease l JOIN subqueue b ON b.id = l.subqueue_id
                WHERE l.token = (SELECT min(token) FROM lease) AND b.priority < 2
                """)
            #expect(better == 30)
        }
    }

    @Test(arguments: [0, 1])
    func `one free queue is found among hundreds that are full, paused or of other types`(keyed: Int) async throws {
        try await Fixture.use { fixture in
            for _ in 0..<2 {
                try await enqueue(fixture, queues: 600) { if keyed == 1 { $0.concurrencyKey = "k" } }
            }
            try await fixture.sql(
                """
                SELECT configure_queue(name, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL) FROM queue WHERE id % 3 = 0
                """)
            try await fixture.sql(
                """
                SELECT change_pause_state('queue:' || name, true, 'why', 'who', 0, NULL, false, NULL, NULL)
                FROM queue WHERE id % 3 = 1
                """)
            var cursor = FairnessCursor()
            let held = try await fixture.jobs.lease(request(1_000), cursor: &cursor).jobs
            #expect(held.count == 200 + 400)
            #expect(try await fixture.jobs.lease(request(10), cursor: &cursor).jobs.isEmpty)
            let last = try await fixture.create {
                $0.type = "b"
                $0.queue = "last"
            }
            let types: [Int32] = try await fixture.sql("SELECT id FROM type WHERE name = 'a'").decode()
            let found = try await fixture.jobs.lease(request(10, excluding: types), cursor: &cursor).jobs
            #expect(found.map(\.id) == [last])
            // A job's end frees a slot, wherever it is.
            let limited = try #require(held.first { $0.isLimited })
            _ = try await fixture.finish(limited)
            #expect(try await fixture.jobs.lease(request(10), cursor: &cursor).jobs.map(\.queue) == [limited.queue])
        }
    }

    @Test func `a worker of a few queues leases from these, few subqueues or many`() async throws {
        try await Fixture.use { fixture in
            try await enqueue(fixture, queues: 200)
            for priority in 0..<150 as Range<Int16> {
                _ = try await fixture.create {
                    $0.queue = "many"
                    $0.priority = priority
                }
            }
            let few: [Int32] = try await fixture.sql("SELECT id FROM queue WHERE name LIKE 'queue-1_'").decode()
            let many: [Int32] = try await fixture.sql("SELECT id FROM queue WHERE name = 'many'").decode()
            var cursor = FairnessCursor()
            #expect(try await fixture.jobs.lease(request(100, queues: few), cursor: &cursor).jobs.count == 10)
            #expect(try await fixture.jobs.lease(request(100, queues: many), cursor: &cursor).jobs.count == 100)
            #expect(try await fixture.jobs.lease(request(100, queues: many), cursor: &cursor).jobs.count == 50)
            #expect(try await fixture.jobs.lease(request(500), cursor: &cursor).jobs.count == 190)
        }
    }

    @Test func `subqueues with low-water marks are walked like the others, and empty ones passed`() async throws {
        try await Fixture.use { fixture in
            try await enqueue(fixture, queues: 100)
            // Marks below the jobs, and of empty subqueues.
            var other = FairnessCursor()
            _ = try await fixture.jobs.lease(request(20), cursor: &other)
            try await fixture.sql(
                "INSERT INTO low_water_mark (priority, subqueue_id, seq) SELECT 0, id, 1 FROM subqueue WHERE id % 2 = 0"
            )
            var cursor = FairnessCursor()
            #expect(try await fixture.jobs.lease(request(50), cursor: &cursor).jobs.count == 50)
            #expect(try await fixture.jobs.lease(request(50), cursor: &cursor).jobs.count == 30)
        }
    }

    /// Index entries of jobs that were leased stay until vacuum has come. Those before a mark cost a lease nothing, be
    /// it of the first subqueue, of the last one, or of one between others.
    @Test(arguments: [(["a"], "a"), (["a", "b", "c"], "a"), (["a", "b", "c"], "b"), (["a", "b", "c"], "c")])
    func `a walk reads no entry before a low-water mark`(queues: [String], marked: String) async throws {
        try await Fixture.use { fixture in
            for (number, queue) in queues.enumerated() {
                _ = try await fixture.create {
                    $0.queue = queue
                    $0.priority = Int16(number % 2)
                }
            }
            let subqueue =
                "SELECT b.priority, b.id FROM subqueue b JOIN queue q ON q.id = b.queue_id WHERE q.name = '\(marked)'"
            // The dead entries of fifty pages or more.
            try await fixture.sql("ALTER TABLE ready SET (autovacuum_enabled = false)")
            try await fixture.sql(
                """
                INSERT INTO ready (id, priority, subqueue_id, seq, ready_at, attempt)
                SELECT gen_random_uuid(), b.priority, b.id, -s, clock_timestamp(), 0
                FROM (\(subqueue)) b, generate_series(1, 20000) s
                """)
            try await fixture.sql("DELETE FROM ready WHERE seq < 0")
            try await fixture.sql(
                """
                INSERT INTO low_water_mark (priority, subqueue_id, seq)
                SELECT b.priority, b.id, 1 FROM (\(subqueue)) b
                """)
            // The first call loads the catalogs.
            let walk = "SELECT * FROM ready_subqueues(NULL, '{}', NULL, NULL, NULL, NULL, 32, 256)"
            _ = try await fixture.hot.execute(sql: walk)
            let plan = try await fixture.hot.execute(sql: "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) \(walk)")
                .decodeOnly(as: String.self)
            let blocks = try #require(plan.firstMatch(of: /"Shared Hit Blocks": (\d+)/).flatMap { Int($0.1) })
            #expect(blocks < 60)
        }
    }

    /// The cycle of fairness keys from 5 on is 100, 3. The look for a key between 3 and 5 must not read the jobs of
    /// the key 100.
    @Test func `the search for fairness keys reads no job of a key behind the end of the cycle`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.create { $0.concurrencyKey = "k" }
            try await fixture.sql("DELETE FROM ready")
            try await fixture.sql(
                """
                INSERT INTO ready (id, priority, subqueue_id, seq, ready_at, attempt, partition_key)
                SELECT gen_random_uuid(), b.priority, b.id, s, clock_timestamp(), 0, CASE WHEN s = 1 THEN 3 ELSE 100 END
                FROM subqueue b, generate_series(1, 20000) s
                """)
            let search = """
                SELECT fairness_keys::text FROM next_fairness_keys(
                    ARRAY(SELECT id FROM subqueue), ARRAY[1::bigint], '{}', 5, 5, NULL, 10)
                """
            #expect(try await fixture.hot.execute(sql: search).decodeOnly(as: String.self) == "{100,3}")
            let plan = try await fixture.hot.execute(sql: "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) \(search)")
                .decodeOnly(as: String.self)
            let blocks = try #require(plan.firstMatch(of: /"Shared Hit Blocks": (\d+)/).flatMap { Int($0.1) })
            #expect(blocks < 60)
        }
    }

    @Test func `the search for fairness keys visits a part of the cycle`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.create { $0.concurrencyKey = "k" }
            try await fixture.sql("DELETE FROM ready")
            try await fixture.sql(
                """
                INSERT INTO ready (id, priority, subqueue_id, seq, ready_at, attempt, partition_key)
                SELECT gen_random_uuid(), b.priority, b.id, s, clock_timestamp(), 0, s % 10
                FROM subqueue b, generate_series(1, 100) s
                """)
            func keys(after: Int, until: Int, wanted: Int = 20) async throws -> String? {
                try await fixture.hot.execute(
                    sql: """
                        SELECT fairness_keys::text FROM next_fairness_keys(
                            ARRAY(SELECT id FROM subqueue), ARRAY[1::bigint], '{}', \(after), \(until), NULL, \(wanted))
                        """
                ).decodeOnly()
            }
            #expect(try await keys(after: 4, until: 4) == "{5,6,7,8,9,0,1,2,3,4}")
            #expect(try await keys(after: 4, until: 7) == "{5,6,7}")
            #expect(try await keys(after: 7, until: 4) == "{8,9,0,1,2,3,4}")
            #expect(try await keys(after: 7, until: 4, wanted: 3) == "{8,9,0}")
            #expect(try await keys(after: 9, until: 1) == "{0,1}")
            #expect(try await keys(after: 20, until: 30) == nil)
        }
    }
}
