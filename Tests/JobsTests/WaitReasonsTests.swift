import Postgres
import Telemetry
import TestKit
import Testing
import Values
import Workers

@testable import Jobs

/// Why a job waits: each reason by itself, and that the job is leased once exactly what it names is gone.
@Suite struct WaitReasonsTests {
    private func reasons(_ jobs: JobsDatabase, _ id: UUID) async throws -> [WaitReason] {
        try #require(try await jobs.store.why(id)).reasons
    }

    private func join(
        _ jobs: JobsDatabase, queues: [String]? = nil, types: [String]? = nil, concurrency: Int32 = 10
    ) async throws -> Int64 {
        let incarnation = UUID(high: .random(in: 0...UInt64.max), low: 1)
        return try await jobs.registry.join(
            WorkerDescription(
                incarnation: incarnation, name: "w", host: "h", version: "1", queues: queues, types: types,
                concurrency: concurrency))
    }

    /// That the next lease, of one job, takes this one.
    private func isTakenNext(_ jobs: JobsDatabase, _ id: UUID) async throws -> Bool {
        #expect(try await reasons(jobs, id) == [.next])
        return try await jobs.lease(1, seconds: 60).map(\.id) == [id]
    }

    private func end(_ jobs: JobsDatabase, _ ids: [UUID]) async throws {
        for id in ids {
            let job = try await jobs.job(id)
            let lease = HeldLease(id: id, token: try #require(job.leaseToken))
            _ = try await jobs.store.finish([FinishedAttempt(lease: lease, result: .succeeded(result: nil))])
        }
    }

    @Test func `a job that runs or has ended does not wait`() async throws {
        try await JobsDatabase.use { jobs in
            let worker = try await join(jobs)
            let id = try await jobs.create()
            let held = try #require(try await jobs.lease(1, worker: worker, seconds: 60).first)
            let startedAt = try #require(try await jobs.job(id).startedAt)
            #expect(try await reasons(jobs, id) == [.running(worker: "w", since: startedAt, isEnding: false)])
            try await jobs.requestStop(id)
            #expect(try await reasons(jobs, id).map(\.code) == ["ending"])
            _ = try await jobs.finish(held)
            let finishedAt = try #require(try await jobs.job(id).finishedAt)
            #expect(try await reasons(jobs, id) == [.ended(.succeeded, at: finishedAt)])
            #expect(try await jobs.store.why(UUID(high: 1, low: 1)) == nil)
        }
    }

    @Test func `a job whose time lies ahead`() async throws {
        try await JobsDatabase.use { jobs in
            _ = try await join(jobs)
            let id = try await jobs.create { $0.runAt = .latest }
            #expect(try await reasons(jobs, id) == [.scheduled(runAt: .latest, isDue: false)])
            try await jobs.sql("UPDATE scheduled SET run_at = clock_timestamp() - interval '1 s'")
            #expect(try await reasons(jobs, id).map(\.code) == ["scheduled"])
            _ = try await jobs.store.promoteDue(atMost: 1, from: .earliest)
            #expect(try await isTakenNext(jobs, id))
        }
    }

    @Test func `a queue whose limit is reached, by the jobs that hold it`() async throws {
        try await JobsDatabase.use { jobs in
            _ = try await join(jobs)
            try await jobs.store.configure(queue: "default") { $0.runningMax = 2 }
            let held = try await jobs.enqueue(2)
            #expect(try await jobs.lease(2, seconds: 60).count == 2)
            let id = try await jobs.create()
            let found = try await reasons(jobs, id)
            guard case .queueFull("default", 2, let holders)? = found.first, found.count == 1 else {
                throw NeverHappened(what: "\(found)")
            }
            #expect(Set(holders) == Set(held))
            try await end(jobs, [holders[0]])
            #expect(try await isTakenNext(jobs, id))
        }
    }

    @Test func `a key whose limit is reached, by the jobs that hold it`() async throws {
        try await JobsDatabase.use { jobs in
            _ = try await join(jobs)
            try await jobs.store.configure(queue: "default") { $0.runningPerKeyMax = 1 }
            let holder = try await jobs.create { $0.concurrencyKey = "a" }
            #expect(try await jobs.lease(1, seconds: 60).count == 1)
            let id = try await jobs.create { $0.concurrencyKey = "a" }
            #expect(try await reasons(jobs, id) == [.keyFull(key: "a", most: 1, holders: [holder])])
            try await end(jobs, [holder])
            #expect(try await isTakenNext(jobs, id))
        }
    }

    @Test func `a rate that is spent, until the instant that is named`() async throws {
        try await JobsDatabase.use { jobs in
            _ = try await join(jobs)
            try await jobs.store.configure(queue: "default") { $0.rate = StartRate(count: 1, seconds: 1_000, burst: 1) }
            let ids = try await jobs.enqueue(2)
            #expect(try await jobs.lease(2, seconds: 60).map(\.id) == [ids[0]])
            guard case .rateReached("default", let nextStart)? = try await reasons(jobs, ids[1]).first else {
                throw NeverHappened(what: "the rate is reached")
            }
            var parameters = Parameters()
            parameters.append(nextStart)
            // As if it were that instant.
            try await jobs.sql("UPDATE queue_rate SET spent_until = spent_until - ($1 - clock_timestamp())", parameters)
            #expect(try await isTakenNext(jobs, ids[1]))
        }
    }

    @Test func `no live worker that takes its queue, or has a handler for its type`() async throws {
        try await JobsDatabase.use { jobs in
            let id = try await jobs.create { $0.type = "mail.send" }
            #expect(try await reasons(jobs, id) == [.noWorkerForQueue("default")])
            _ = try await join(jobs, queues: ["other"])
            #expect(try await reasons(jobs, id) == [.noWorkerForQueue("default")])
            let other = try await join(jobs, queues: ["other", "default"], types: ["mail", "mail.send.*", "hook.*"])
            #expect(try await reasons(jobs, id) == [.noWorkerForType("mail.send", workers: 1)])
            let types = ["hook.*", "mail.*"]
            #expect(try await jobs.registry.heartbeat(id: other, running: 0, counters: Array("{}".utf8), types: types))
            #expect(try await isTakenNext(jobs, id))
        }
    }

    @Test func `a worker that is dead takes nothing`() async throws {
        try await JobsDatabase.use { jobs in
            let id = try await jobs.create()
            _ = try await join(jobs)
            try await jobs.sql("UPDATE worker SET expires_at = clock_timestamp() - interval '1 s'")
            #expect(try await reasons(jobs, id) == [.noWorkerForQueue("default")])
        }
    }

    @Test func `workers that have as many jobs as they run at once`() async throws {
        try await JobsDatabase.use { jobs in
            let worker = try await join(jobs, concurrency: 2)
            _ = try await jobs.enqueue(2)
            let held = try await jobs.lease(2, worker: worker, seconds: 60)
            let id = try await jobs.create()
            #expect(try await reasons(jobs, id) == [.workersBusy(workers: 1)])
            _ = try await jobs.finish(held[0])
            #expect(try await isTakenNext(jobs, id))
        }
    }

    @Test func `jobs that go before it by priority and by age, of whatever type its workers take`() async throws {
        try await JobsDatabase.use { jobs in
            _ = try await join(jobs, queues: ["default", "mail"], types: ["work", "other"])
            try await jobs.enqueue(3) { $0.priority = -1 }
            try await jobs.enqueue(2) { $0.queue = "mail" }
            try await jobs.enqueue(1) { $0.type = "other" }
            // Nobody who takes the job takes these.
            try await jobs.enqueue(1) { $0.type = "unheard" }
            try await jobs.enqueue(1) { $0.queue = "elsewhere" }
            let id = try await jobs.create()
            try await jobs.enqueue(1) { $0.priority = 1 }
            try await jobs.enqueue(1)
            #expect(try await reasons(jobs, id) == [.jobsAhead(6)])
            for _ in 0..<6 { #expect(try await jobs.lease(1, seconds: 60).first?.id != id) }
            #expect(try await reasons(jobs, id) == [.next])
        }
    }

    @Test func `more jobs ahead than are counted`() async throws {
        try await JobsDatabase.use { jobs in
            _ = try await join(jobs)
            try await jobs.enqueue(10_002)
            let id = try await jobs.create()
            let found = try await reasons(jobs, id)
            #expect(found == [.jobsAhead(JobFacts.aheadMax + 1)])
            #expect(found[0].detail == "more than 10000 jobs go before it")
        }
    }

    @Test func `a queue that is full is not ahead of another`() async throws {
        try await JobsDatabase.use { jobs in
            _ = try await join(jobs)
            try await jobs.store.configure(queue: "full") { $0.runningMax = 1 }
            try await jobs.enqueue(5) { $0.queue = "full" }
            #expect(try await jobs.lease(1, seconds: 60).count == 1)
            let id = try await jobs.create()
            #expect(try await isTakenNext(jobs, id))
        }
    }

    @Test func `other keys served round-robin with it, and earlier jobs of its own`() async throws {
        try await JobsDatabase.use { jobs in
            _ = try await join(jobs)
            let others = try await jobs.enqueue(2) { $0.concurrencyKey = "b" } + [jobs.create()]
            let earlier = try await jobs.create { $0.concurrencyKey = "a" }
            let id = try await jobs.create { $0.concurrencyKey = "a" }
            _ = try await jobs.create { $0.concurrencyKey = "a" }
            #expect(try await reasons(jobs, id) == [.jobsAhead(1), .fairness(2)])
            _ = try await jobs.store.cancel(earlier)
            #expect(try await reasons(jobs, id) == [.fairness(2)])
            for other in others { _ = try await jobs.store.cancel(other) }
            #expect(try await isTakenNext(jobs, id))
        }
    }

    @Test func `every reason is named at once`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.store.configure(queue: "default") {
                $0.runningMax = 1
                $0.runningPerKeyMax = 1
                $0.rate = StartRate(count: 1, seconds: 1_000, burst: 1)
            }
            _ = try await jobs.create { $0.concurrencyKey = "a" }
            #expect(try await jobs.lease(1, seconds: 60).count == 1)
            try await jobs.enqueue(2) { $0.concurrencyKey = "a" }
            let id = try await jobs.create {
                $0.concurrencyKey = "a"
                $0.runAt = .latest
            }
            #expect(
                try await reasons(jobs, id).map(\.code) == [
                    "scheduled", "queue_full", "rate_reached", "key_full", "no_worker_for_queue", "jobs_ahead",
                ])
        }
    }
}
