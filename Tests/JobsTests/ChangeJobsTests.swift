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

    @Test func `a job that is not there is not found`() async throws {
        try await JobsDatabase.use { jobs in
            _ = try await jobs.create()
            for id in [nobody, UUID(high: 0, low: 0), UUID(high: .max, low: .max)] {
                #expect(try await jobs.store.find(id) == nil)
            }
        }
    }

    @Test func `a job shows its worker while it runs and when it has ended`() async throws {
        try await JobsDatabase.use { jobs in
            let description = WorkerDescription(
                incarnation: nobody, name: "worker-7", host: "h", version: "1", queues: nil, concurrency: 1)
            let worker = try await jobs.registry.join(description)
            let id = try await jobs.create()
            #expect(try await jobs.job(id).worker == nil)
            let held = try #require(try await jobs.lease(1, worker: worker, seconds: 60).first)
            #expect(try await jobs.job(id).worker == "worker-7")
            _ = try await jobs.finish(held)
            #expect(try await jobs.job(id).worker == "worker-7")
        }
    }

    // MARK: Cancel

    @Test func `a job that waits is cancelled, and never runs`() async throws {
        try await JobsDatabase.use { jobs in
            let queued = try await jobs.create()
            let scheduled = try await jobs.create { $0.runAt = .latest }
            for id in [queued, scheduled] {
                #expect(try await jobs.store.cancel(id).done == .cancelled)
                let job = try await jobs.job(id)
                #expect(job.status == .cancelled && job.attempt == 0)
                #expect(job.finishedAt != nil && job.startedAt == nil && job.worker == nil)
            }
            try await jobs.sql("UPDATE scheduled SET run_at = clock_timestamp()")
            #expect(try await jobs.store.promoteDue(atMost: 10, from: .earliest).count == 0)
            #expect(try await jobs.lease(10, seconds: 60).isEmpty)
            let transitions =
                ["enqueued": 1, "delayed": 1, "cancelled_queued": 1, "cancelled_scheduled": 1] as [String: Int64]
            #expect(try await jobs.transitions() == transitions)
            #expect(try await jobs.countMismatches() == 0)
        }
    }

    @Test func `a job that has ended, or is ending, is not cancelled`() async throws {
        try await JobsDatabase.use { jobs in
            let held = try await jobs.leaseNew()
            try await jobs.requestStop(held.id)
            #expect(try await jobs.store.cancel(held.id).refused == .ending)
            _ = try await jobs.finish(held)
            #expect(try await jobs.store.cancel(held.id).refused == .succeeded)
            let failed = try await jobs.leaseNew()
            _ = try await jobs.finish(failed, .failed(error: "e"))
            #expect(try await jobs.store.cancel(failed.id).refused == .failed)
            let cancelled = try await jobs.create()
            _ = try await jobs.store.cancel(cancelled)
            #expect(try await jobs.store.cancel(cancelled).refused == .cancelled)
            #expect(try await jobs.store.cancel(nobody).isUnknown)
            #expect(try await jobs.countMismatches() == 0)
        }
    }

    @Test func `of eight that cancel a job one has done it`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.withStores(8) { stores in
                for _ in 0..<20 {
                    let id = try await jobs.create()
                    let answers = try await race(8) { try await stores[$0].cancel(id) }
                    #expect(answers.filter { $0.done == .cancelled }.count == 1)
                    #expect(answers.filter { $0.refused == .cancelled }.count == 7)
                }
            }
            #expect(try await jobs.transitions() == ["enqueued": 20, "cancelled_queued": 20])
            #expect(try await jobs.countMismatches() == 0)
        }
    }

    @Test func `a job is cancelled or leased, never both`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.withStores(2) { stores in
                let ids = try await jobs.enqueue(200)
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
            #expect(try await jobs.countMismatches() == 0)
        }
    }

    @Test func `a job that is being promoted is cancelled all the same`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.withStores(2) { stores in
                let ids = try await jobs.enqueue(200) { $0.runAt = .latest }
                try await jobs.sql("UPDATE scheduled SET run_at = clock_timestamp()")
                async let promoting = race(1) { _ in
                    var count = 0
                    for _ in 0..<200 { count += try await stores[0].promoteDue(atMost: 1, from: .earliest).count }
                    return count
                }
                for id in ids.reversed() { #expect(try await stores[1].cancel(id).done == .cancelled) }
                let promoted = try await promoting[0]
                #expect(promoted > 0)
            }
            #expect(try await jobs.number("SELECT count(*) FROM outcome WHERE status = 'cancelled'") == 200)
            #expect(try await jobs.countMismatches() == 0)
        }
    }

    // MARK: Retry

    @Test func `a failed job runs again at once, with the attempts that are left`() async throws {
        try await JobsDatabase.use { jobs in
            let held = try await jobs.leaseNew { $0.maxAttempts = 2 }
            _ = try await jobs.finish(held, .failed(error: "first"))
            #expect(try await jobs.store.retry(held.id).done == .queued)
            let job = try await jobs.job(held.id)
            #expect(job.attempt == 1 && job.maxAttempts == 2 && job.finishedAt == nil)
            #expect(job.lastError != nil)
            let second = try #require(try await jobs.lease(1, seconds: 60).first)
            #expect(second.attempt == 2 && second.token > held.token)
            #expect(try await jobs.finish(second, .retry(error: "second", afterSeconds: 0)) == .failed)
            #expect(try await jobs.countMismatches() == 0)
        }
    }

    @Test func `a job that is out of attempts gets one more from a person`() async throws {
        try await JobsDatabase.use { jobs in
            let id = try await jobs.create { $0.maxAttempts = 1 }
            for attempt in 1...3 as ClosedRange<Int16> {
                let held = try #require(try await jobs.lease(1, seconds: 60).first)
                #expect(held.attempt == attempt)
                #expect(try await jobs.job(id).maxAttempts == Int32(attempt))
                #expect(try await jobs.finish(held, .retry(error: "e", afterSeconds: 0)) == .failed)
                #expect(try await jobs.store.retry(id).done == .queued)
                let job = try await jobs.job(id)
                #expect(job.attempt == Int32(attempt) && job.maxAttempts == Int32(attempt) + 1)
            }
            #expect(try await jobs.transitions()["failed_retried"] == 3)
        }
    }

    @Test func `a cancelled job runs again at once, also one whose time lay ahead`() async throws {
        try await JobsDatabase.use { jobs in
            let queued = try await jobs.create()
            let scheduled = try await jobs.create { $0.runAt = .latest }
            for id in [queued, scheduled] {
                _ = try await jobs.store.cancel(id)
                #expect(try await jobs.store.retry(id).done == .queued)
            }
            #expect(try await jobs.lease(10, seconds: 60).count == 2)
            #expect(try await jobs.transitions()["cancelled_retried"] == 2)
            #expect(try await jobs.countMismatches() == 0)
        }
    }

    @Test func `what waits, runs or has succeeded is not retried`() async throws {
        try await JobsDatabase.use { jobs in
            let scheduled = try await jobs.create { $0.runAt = .latest }
            #expect(try await jobs.store.retry(scheduled).refused == .scheduled)
            let id = try await jobs.create()
            #expect(try await jobs.store.retry(id).refused == .queued)
            let held = try #require(try await jobs.lease(1, seconds: 60).first)
            #expect(try await jobs.store.retry(id).refused == .running)
            _ = try await jobs.finish(held, .succeeded(result: Array("1".utf8)))
            #expect(try await jobs.store.retry(id).refused == .succeeded)
            #expect(try await jobs.job(id).result == Array("1".utf8))
            #expect(try await jobs.store.retry(nobody).isUnknown)
            #expect(try await jobs.countMismatches() == 0)
        }
    }

    @Test func `of eight that retry a job one has done it, and it runs once`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.withStores(8) { stores in
                for _ in 0..<20 {
                    let held = try await jobs.leaseNew()
                    _ = try await jobs.finish(held, .failed(error: "e"))
                    let answers = try await race(8) { try await stores[$0].retry(held.id) }
                    #expect(answers.filter { $0.done != nil }.count == 1)
                    #expect(answers.filter { $0.refused == .queued }.count == 7)
                    #expect(try await jobs.lease(10, seconds: 60).map(\.id) == [held.id])
                }
            }
            #expect(try await jobs.countMismatches() == 0)
        }
    }
}
