import Jobs
import Postgres
import TestKit
import Testing

/// Random walks over queues with limits and jobs with keys, by several sessions. After each lease PostgreSQL is asked
/// what the limits say of what runs and of what was left: nothing too much, and nothing that could have run.
@Suite struct FairnessWalkTests {
    @Test(arguments: TestSeeds.take(4))
    func `no limit is exceeded, and no slot stays empty that a job could fill`(seed: UInt64) async throws {
        try await Fixture.use { fixture in
            try await fixture.withStores(3) { stores in
                var walk = FairnessWalk(fixture: fixture, stores: stores, seed: seed)
                for transition in 1...120 {
                    let what = try await walk.transition()
                    let exceeded = try await walk.exceeded()
                    try #require(exceeded == [], "seed \(seed), transition \(transition): after \(what)")
                }
            }
            #expect(try await fixture.countMismatches() == 0)
        }
    }
}

private struct FairnessWalk {
    private static let queues = ["plain", "total", "per-key", "both"]

    let fixture: Fixture
    let stores: [JobStore]
    private var held: [LeasedJob] = []
    private var cursors: [FairnessCursor]
    private var random: SeededGenerator

    init(fixture: Fixture, stores: [JobStore], seed: UInt64) {
        self.fixture = fixture
        self.stores = stores
        cursors = stores.map { _ in FairnessCursor() }
        random = SeededGenerator(seed: seed)
    }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    mutating func transition() async throws -> String {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<25: try await create()
        case 25..<60: try await lease()
        case 60..<90: try await finish()
        case 90..<95: try await reclaim()
        default: try await configure()
        }
    }

    private mutating func create() async throws -> String {
        let new = (0..<Int.random(in: 1...12, using: &random)).map { _ in
            var job = NewJob(type: chance(30) ? "rare" : "work")
            job.queue = Self.queues.randomElement(using: &random)!
            job.priority = chance(20) ? -1 : 0
            job.backoff = .none
            job.concurrencyKey = chance(70) ? ["a", "b", "c"].randomElement(using: &random)! : nil
            return job
        }
        _ = try await stores.randomElement(using: &random)!.insertAll(new)
        return "creating \(new.count)"
    }

    private mutating func configure() async throws -> String {
        let queue = Self.queues.randomElement(using: &random)!
        var settings = QueueSettings()
        if queue == "total" || queue == "both" { settings.runningMax = Int32.random(in: 1...6, using: &random) }
        if queue == "per-key" || queue == "both" { settings.runningPerKeyMax = Int32.random(in: 1...3, using: &random) }
        try await fixture.jobs.configure(queue: queue, settings)
        // A limit that is lowered below what runs ends nothing.
        for job in held { _ = try await fixture.finish(job) }
        held = []
        return "configuring \(queue): \(settings)"
    }

    private mutating func lease() async throws -> String {
        let index = Int.random(in: 0..<stores.count, using: &random)
        let count = Int.random(in: 1...8, using: &random)
        let seconds = chance(20) ? -1.0 : 60
        let request = LeaseRequest(
            queues: nil, excludedTypes: [], count: count, worker: Int64(index), leaseSeconds: seconds)
        let leased = try await stores[index].lease(request, cursor: &cursors[index]).jobs
        held += leased
        #expect(leased.count <= count)
        #expect(Set(leased.map(\.id)).count == leased.count)
        if leased.count < count { #expect(try await left() == 0, "leasing \(count), got \(leased.count)") }
        return "leasing \(count)"
    }

    private mutating func finish() async throws -> String {
        held.shuffle(using: &random)
        let ended = Int.random(in: 0...held.count, using: &random)
        for job in held.suffix(ended) {
            let result: AttemptResult =
                chance(60) ? .succeeded(result: nil) : chance(50) ? .retry(error: "x", afterSeconds: nil) : .released
            _ = try await fixture.finish(job, result)
        }
        held.removeLast(ended)
        return "finishing \(ended)"
    }

    private mutating func reclaim() async throws -> String {
        let reclaimed = Set(try await fixture.jobs.reclaimExpired(atMost: 100).leases.map(\.jobID))
        held.removeAll { reclaimed.contains($0.id) }
        return "reclaiming \(reclaimed.count)"
    }

    /// What runs beyond a limit.
    func exceeded() async throws -> [String] {
        try await fixture.sql(
            """
            SELECT q.name || ': ' || count(*) || ' run' FROM lease l JOIN subqueue b ON b.id = l.subqueue_id
            JOIN queue q ON q.id = b.queue_id GROUP BY q.id HAVING count(*) > q.max_running
            UNION ALL
            SELECT q.name || ', one key: ' || count(*) || ' run' FROM lease l JOIN subqueue b ON b.id = l.subqueue_id
            JOIN queue q ON q.id = b.queue_id WHERE l.partition_key IS NOT NULL
            GROUP BY q.id, l.partition_key HAVING count(*) > q.max_running_per_key
            """
        ).decode(as: String.self)
    }

    /// Ready jobs that no limit holds back.
    private func left() async throws -> Int64 {
        try await fixture.number(
            """
            SELECT count(*) FROM ready r JOIN subqueue b ON b.id = r.subqueue_id JOIN queue q ON q.id = b.queue_id
            WHERE (q.max_running IS NULL OR q.max_running
                   > (SELECT count(*) FROM lease l JOIN subqueue x ON x.id = l.subqueue_id WHERE x.queue_id = q.id))
              AND (q.max_running_per_key IS NULL OR r.partition_key IS NULL OR q.max_running_per_key
                   > (SELECT count(*) FROM lease l WHERE l.partition_key = r.partition_key))
            """)
    }
}
