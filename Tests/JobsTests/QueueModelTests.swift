import Jobs
import Postgres
import Telemetry
import TestKit
import Testing
import Values

/// Random walks over everything that can happen to jobs, by several sessions, compared with a model in memory after
/// each transition.
@Suite struct QueueModelTests {
    @Test(arguments: TestSeeds.take(4))
    func `after random operations the jobs agree with the model`(seed: UInt64) async throws {
        try await Fixture.use { fixture in
            try await fixture.withStores(3) { stores in
                var walk = RandomWalk(fixture: fixture, stores: stores, seed: seed)
                for transition in 1...100 {
                    let what = try await walk.transition()
                    let difference = try await walk.difference()
                    try #require(difference == nil, "seed \(seed), transition \(transition): after \(what)")
                }
            }
            #expect(try await fixture.countMismatches() == 0)
        }
    }
}

private struct RandomWalk {
    let fixture: Fixture
    let stores: [JobStore]
    private var model = QueueModel()
    private var random: SeededGenerator

    init(fixture: Fixture, stores: [JobStore], seed: UInt64) {
        self.fixture = fixture
        self.stores = stores
        random = SeededGenerator(seed: seed)
    }

    private mutating func store() -> JobStore { stores.randomElement(using: &random)! }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    private mutating func some<Element>(of elements: [Element], atMost count: Int) -> [Element] {
        Array(elements.shuffled(using: &random).prefix(Int.random(in: 0...count, using: &random)))
    }

    // MARK: Steps

    /// Does something at random, here and in the model, and says what.
    mutating func transition() async throws -> String {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<15: try await create()
        case 15..<40: try await lease()
        case 40..<65: try await finish()
        case 65..<70: try await renew()
        case 70..<78: try await cancel()
        case 78..<86: try await retry()
        case 86..<90: try await requestStop()
        case 90..<95: try await reclaim()
        default: try await promote()
        }
    }

    private mutating func newJob() -> NewJob {
        var job = NewJob(type: chance(30) ? "rare" : "work")
        job.queue = chance(30) ? "bulk" : "default"
        job.priority = chance(30) ? Int16.random(in: -1...1, using: &random) : 0
        job.maxAttempts = Int16.random(in: 1...3, using: &random)
        job.backoff = chance(50) ? .none : .fixed(baseSeconds: 3_600)
        if chance(20) { job.runAt = .latest }
        if chance(20) { job.tags = ["t"] }
        return job
    }

    private mutating func create() async throws -> String {
        let new = (0..<Int.random(in: 1...5, using: &random)).map { _ in newJob() }
        if new.count == 1 {
            model.create(new[0], id: try await store().insert(new[0]).id)
        } else {
            for (job, id) in zip(new, try await store().insertAll(new).ids) { model.create(job, id: id) }
        }
        return "creating \(new.count)"
    }

    private mutating func lease() async throws -> String {
        let queues: Set<String>? = chance(20) ? ["bulk"] : nil
        let excluded: Set<String> = chance(20) ? ["rare"] : []
        let count = Int.random(in: 1...6, using: &random)
        let store = store()
        var queueIDs: [Int32]?
        if let queues { queueIDs = try await store.queueIDs(Array(queues)) }
        let excludedTypes = try await store.types().filter { excluded.contains($0.name) }.map(\.id)
        let request = LeaseRequest(
            queues: queueIDs, excludedTypes: excludedTypes, count: count, worker: 1, leaseSeconds: 600)
        let leased = try await store.lease(request)
        let expected = model.nextToLease(queues: queues, without: excluded, count: count)
        #expect(Set(leased.map(\.id)) == expected)
        #expect(leased.count == expected.count)
        if let token = leased.first?.token {
            #expect(token > model.lastToken && leased.allSatisfy { $0.token == token })
            model.lease(expected, token: token)
        }
        for job in leased { #expect(Int(job.attempt) == model.entries[job.id]?.attempt) }
        return "leasing \(leased.count) of \(count)"
    }

    private mutating func result() -> AttemptResult {
        switch Int.random(in: 0..<8, using: &random) {
        case 0, 1: .succeeded(result: chance(50) ? Array("1".utf8) : nil)
        case 2: .failed(error: "e")
        case 3: .retry(error: "e", afterSeconds: nil)
        case 4: .retry(error: "e", afterSeconds: 3_600)
        case 5: .retry(error: "e", afterSeconds: 0)
        case 6: .snoozed(seconds: chance(50) ? 3_600 : 0)
        default: .released
        }
    }

    private mutating func finish() async throws -> String {
        let leases = some(of: model.held, atMost: 4) + some(of: model.lost, atMost: 1)
        let onlySuccess = chance(30)
        let attempts = leases.map { lease in
            FinishedAttempt(lease: lease, result: onlySuccess ? .succeeded(result: nil) : result())
        }
        let answers = try await store().finish(attempts)
        var expected: [HeldLease: FinishAnswer] = [:]
        for attempt in attempts.sorted(by: { $0.lease.id < $1.lease.id }) {
            expected[attempt.lease] = model.finish(attempt.lease, attempt.result)
        }
        #expect(answers == attempts.map { expected[$0.lease] })
        return "finishing \(attempts.map(\.result))"
    }

    private mutating func renew() async throws -> String {
        let held = some(of: model.held, atMost: 5)
        let lost = some(of: model.lost, atMost: 3)
        let answer = try await store().renew(held + lost, leaseSeconds: 600)
        var expected: [HeldLease: RenewedLease] = [:]
        for lease in held {
            expected[lease] = model.entries[lease.id]!.status == .ending ? .ending(graceSeconds: 10) : .kept
        }
        #expect(answer == expected)
        return "renewing \(held.count), and \(lost.count) that were lost"
    }

    private mutating func cancel() async throws -> String {
        guard let id = model.ids.randomElement(using: &random) else { return "nothing" }
        let answer = try await store().cancel(id)
        let isDone = model.cancel(id)
        #expect((answer.done ?? answer.refused) == model.entries[id]!.status)
        #expect((answer.done != nil) == isDone)
        return "cancelling \(id)"
    }

    private mutating func retry() async throws -> String {
        guard let id = model.ids.randomElement(using: &random) else { return "nothing" }
        let answer = try await store().retry(id)
        let isDone = model.retry(id)
        #expect((answer.done ?? answer.refused) == model.entries[id]!.status)
        #expect((answer.done != nil) == isDone)
        return "retrying \(id)"
    }

    private mutating func requestStop() async throws -> String {
        guard let id = model.ids(in: .running).randomElement(using: &random) else { return "nothing" }
        #expect(try await store().requestCancel([id], by: .unnamed) == [id])
        model.requestStop(id)
        return "asking \(id) to stop"
    }

    /// Lets leases expire, and takes them back.
    private mutating func reclaim() async throws -> String {
        let expired = some(of: model.held, atMost: 4)
        try await fixture.expireLeases(of: expired.map(\.id))
        let reclaimed = try await store().reclaimExpired(atMost: 100).leases
        #expect(Set(reclaimed.map { HeldLease(id: $0.jobID, token: $0.token) }) == Set(expired))
        for lease in expired { model.reclaim(lease) }
        return "reclaiming \(expired.count)"
    }

    /// Lets the time of jobs come, one after the other, and promotes them.
    private mutating func promote() async throws -> String {
        let due = some(of: model.ids(in: .scheduled), atMost: 4)
        var parameters = Parameters()
        parameters.append(due)
        try await fixture.sql(
            """
            UPDATE scheduled s
            SET run_at = clock_timestamp() + CASE WHEN p.place IS NULL THEN interval '1 day'
                                                  ELSE make_interval(secs => p.place - 1000) END
            FROM scheduled o LEFT JOIN unnest($1) WITH ORDINALITY AS p (id, place) ON p.id = o.id
            WHERE o.id = s.id
            """, parameters)
        #expect(try await store().promoteDue(atMost: 100, from: .earliest).count == due.count)
        for id in due { model.promote(id) }
        return "promoting \(due.count)"
    }

    // MARK: Comparison

    /// What is not as the model says; nil when everything is.
    func difference() async throws -> String? {
        var found: [UUID: String] = [:]
        let rows = try await fixture.sql(
            "SELECT id, status::text, attempt::int, max_attempts::int, lease_token FROM jobs")
        for (id, status, attempt, most, token) in try rows.decode((UUID, String, Int32, Int32, Int64?).self) {
            let text = "\(status) \(attempt)/\(most) token \(token.map { "\($0)" } ?? "-")"
            guard found.updateValue(text, forKey: id) == nil else { return "two rows of one job" }
        }
        for id in model.ids {
            let entry = model.entries[id]!
            let token = entry.token.map { "\($0)" } ?? "-"
            let text = "\(entry.status.rawValue) \(entry.attempt)/\(entry.shownMaxAttempts) token \(token)"
            if found[id] != text { return "\(id): \(found[id] ?? "is gone"), expected \(text)" }
        }
        if found.count != model.ids.count { return "\(found.count) jobs, expected \(model.ids.count)" }
        return try await countDifference()
    }

    private func countDifference() async throws -> String? {
        var depths: [String: [JobStatus: Int64]] = [:]
        let counts = try await fixture.queues.counts()
        for depth in counts.depths where depth.count != 0 {
            depths[depth.queue, default: [:]][depth.status] = depth.count
        }
        if depths != model.depths { return "depths \(depths), expected \(model.depths)" }
        var transitions: [String: [String: Int64]] = [:]
        for count in counts.transitions {
            transitions[count.queue, default: [:]][count.transition] = count.count
        }
        return transitions == model.transitions ? nil : "transitions \(transitions), expected \(model.transitions)"
    }
}
