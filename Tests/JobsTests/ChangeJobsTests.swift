import Jobs
import Postgres
import Telemetry
import TestKit
import Testing
import Values
import Workers

/// Cancel and retry, by a person.
@Suite struct ChangeJobsTests {
    private let nobody = UUID(high: 0x0190_163d_8694_739b, low: 0xaea5_966c_26f8_ad91)

    /// Calls `body` with each number at once, and returns what it gave.
    private func race<Value: Sendable>(
        _ count: Int, _ body: @escaping @Sendable (Int) async throws -> Value
    ) async throws -> [Value] {
        try await withThrowingTaskGroup(of: Value.self) { tasks in
            for number in 0..<count { tasks.addTask { try await body(number) } }
            return try await tasks.reduce(into: []) { $0.append($1) }
        }
    }

    // MARK: Find

    @Test func `a job that does not exist is not found`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.create()
            for id in [nobody, UUID(high: 0, low: 0), UUID(high: .max, low: .max)] {
                #expect(try await fixture.jobs.find(id) == nil)
            }
        }
    }

    @Test func `a job shows its worker while it runs and when it has ended`() async throws {
        try await Fixture.use { fixture in
            let description = WorkerDescription(
                incarnation: nobody, name: "worker-7", host: "h", version: "1", queues: nil, concurrency: 1)
            let worker = try await fixture.workers.join(description)
            let id = try await fixture.create()
            #expect(try await fixture.job(id).worker == nil)
            let held = try #require(try await fixture.lease(1, worker: worker, seconds: 60).first)
            #expect(try await fixture.job(id).worker == "worker-7")
            _ = try await fixture.finish(held)
            #expect(try await fixture.job(id).worker == "worker-7")
        }
    }

    // MARK: Cancel

    @Test func `a waiting job is cancelled, and never runs`() async throws {
        try await Fixture.use { fixture in
            let queued = try await fixture.create()
            let scheduled = try await fixture.create { $0.runAt = .latest }
            for id in [queued, scheduled] {
                #expect(try await fixture.jobs.cancel(id).done == .cancelled)
                let job = try await fixture.job(id)
                #expect(job.status == .cancelled && job.attempt == 0)
                #expect(job.finishedAt != nil && job.startedAt == nil && job.worker == nil)
            }
            try await fixture.makeDue()
            #expect(try await fixture.jobs.promoteDue(atMost: 10, from: .earliest).count == 0)
            #expect(try await fixture.lease(10, seconds: 60).isEmpty)
            let transitions =
                ["enqueued": 1, "delayed": 1, "cancelled_queued": 1, "cancelled_scheduled": 1] as [String: Int64]
            #expect(try await fixture.transitions() == transitions)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a job that has ended, or is ending, is not cancelled`() async throws {
        try await Fixture.use { fixture in
            let held = try await fixture.leaseNew()
            try await fixture.requestCancel(held.id)
            #expect(try await fixture.jobs.cancel(held.id).refused == .ending)
            _ = try await fixture.finish(held)
            #expect(try await fixture.jobs.cancel(held.id).refused == .succeeded)
            let failed = try await fixture.leaseNew()
            _ = try await fixture.finish(failed, .failed(error: "e"))
            #expect(try await fixture.jobs.cancel(failed.id).refused == .failed)
            let cancelled = try await fixture.create()
            _ = try await fixture.jobs.cancel(cancelled)
            #expect(try await fixture.jobs.cancel(cancelled).refused == .cancelled)
            #expect(try await fixture.jobs.cancel(nobody).isUnknown)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `one of eight concurrent cancellations of a job succeeds`() async throws {
        try await Fixture.use { fixture in
            try await fixture.withStores(8) { stores in
                for _ in 0..<20 {
                    let id = try await fixture.create()
                    let answers = try await race(8) { try await stores[$0].cancel(id) }
                    #expect(answers.filter { $0.done == .cancelled }.count == 1)
                    #expect(answers.filter { $0.refused == .cancelled }.count == 7)
                }
            }
            #expect(try await fixture.transitions() == ["enqueued": 20, "cancelled_queued": 20])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a job is cancelled or leased, never both`() async throws {
        try await Fixture.use { fixture in
            try await fixture.withStores(2) { stores in
                let ids = try await fixture.enqueue(200)
                async let leased = race(1) { _ in
                    var leased: Set<UUID> = []
                    for _ in 0..<200 {
                        let request = LeaseRequest(
                            queues: nil, excludedTypes: [], count: 1, worker: 1, leaseSeconds: 60)
                        leased.formUnion(try await stores[0].lease(request).map(\.id))
                    }
                    return leased
                }
                var cancelled: Set<UUID> = []
                for id in ids.reversed() where try await stores[1].cancel(id).done == .cancelled {
                    cancelled.insert(id)
                }
                let both = try await leased[0]
                #expect(both.isDisjoint(with: cancelled))
                #expect(both.union(cancelled) == Set(ids))
            }
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a job that is being promoted is cancelled`() async throws {
        try await Fixture.use { fixture in
            try await fixture.withStores(2) { stores in
                let ids = try await fixture.enqueue(200) { $0.runAt = .latest }
                try await fixture.makeDue()
                async let promoting = race(1) { _ in
                    var count = 0
                    for _ in 0..<200 { count += try await stores[0].promoteDue(atMost: 1, from: .earliest).count }
                    return count
                }
                for id in ids.reversed() { #expect(try await stores[1].cancel(id).done == .cancelled) }
                let promoted = try await promoting[0]
                #expect(promoted > 0)
            }
            #expect(try await fixture.number("SELECT count(*) FROM outcome WHERE status = 'cancelled'") == 200)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    // MARK: Retry

    @Test func `a retried job that failed runs at once, with its remaining attempts`() async throws {
        try await Fixture.use { fixture in
            let held = try await fixture.leaseNew { $0.maxAttempts = 2 }
            _ = try await fixture.finish(held, .failed(error: "first"))
            #expect(try await fixture.jobs.retry(held.id).done == .queued)
            let job = try await fixture.job(held.id)
            #expect(job.attempt == 1 && job.maxAttempts == 2 && job.finishedAt == nil)
            #expect(job.lastError != nil)
            let second = try #require(try await fixture.lease(1, seconds: 60).first)
            #expect(second.attempt == 2 && second.token > held.token)
            #expect(try await fixture.finish(second, .retry(error: "second", afterSeconds: 0)) == .failed)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a retry gives one more attempt to a job that is out of attempts`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.create { $0.maxAttempts = 1 }
            for attempt in 1...3 as ClosedRange<Int16> {
                let held = try #require(try await fixture.lease(1, seconds: 60).first)
                #expect(held.attempt == attempt)
                #expect(try await fixture.job(id).maxAttempts == Int32(attempt))
                #expect(try await fixture.finish(held, .retry(error: "e", afterSeconds: 0)) == .failed)
                #expect(try await fixture.jobs.retry(id).done == .queued)
                let job = try await fixture.job(id)
                #expect(job.attempt == Int32(attempt) && job.maxAttempts == Int32(attempt) + 1)
            }
            #expect(try await fixture.transitions()["failed_retried"] == 3)
        }
    }

    @Test func `a retried job that was cancelled runs at once, also one that was scheduled`() async throws {
        try await Fixture.use { fixture in
            let queued = try await fixture.create()
            let scheduled = try await fixture.create { $0.runAt = .latest }
            for id in [queued, scheduled] {
                _ = try await fixture.jobs.cancel(id)
                #expect(try await fixture.jobs.retry(id).done == .queued)
            }
            #expect(try await fixture.lease(10, seconds: 60).count == 2)
            #expect(try await fixture.transitions()["cancelled_retried"] == 2)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `queued, running and succeeded jobs are not retried, and scheduled ones wait no longer`() async throws {
        try await Fixture.use { fixture in
            let scheduled = try await fixture.create { $0.runAt = .latest }
            #expect(try await fixture.jobs.retry(scheduled).done == .queued)
            #expect(try await fixture.transitions()["promoted"] == 1)
            #expect(try await fixture.jobs.cancel(scheduled).done == .cancelled)
            let id = try await fixture.create()
            #expect(try await fixture.jobs.retry(id).refused == .queued)
            #expect(try await fixture.jobs.runNow(id).refused == .queued)
            let held = try #require(try await fixture.lease(1, seconds: 60).first)
            #expect(try await fixture.jobs.retry(id).refused == .running)
            _ = try await fixture.finish(held, .succeeded(result: Array("1".utf8)))
            #expect(try await fixture.jobs.retry(id).refused == .succeeded)
            #expect(try await fixture.job(id).result == Array("1".utf8))
            #expect(try await fixture.jobs.retry(nobody).isUnknown)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `one of eight concurrent retries of a job succeeds, and the job runs once`() async throws {
        try await Fixture.use { fixture in
            try await fixture.withStores(8) { stores in
                for _ in 0..<20 {
                    let held = try await fixture.leaseNew()
                    _ = try await fixture.finish(held, .failed(error: "e"))
                    let answers = try await race(8) { try await stores[$0].retry(held.id) }
                    #expect(answers.filter { $0.done != nil }.count == 1)
                    #expect(answers.filter { $0.refused == .queued }.count == 7)
                    #expect(try await fixture.lease(10, seconds: 60).map(\.id) == [held.id])
                }
            }
            #expect(try await fixture.countMismatches() == 0)
        }
    }
}
