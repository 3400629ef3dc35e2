import Postgres
import Telemetry
import TestKit
import Testing
import Values
import Workers

@testable import Jobs

/// Why a job waits: each reason by itself, and that the job is leased once exactly what it names is gone.
@Suite struct WaitReasonsTests {
    private func reasons(_ fixture: Fixture, _ id: UUID) async throws -> [WaitReason] {
        try #require(try await fixture.jobs.why(id)).reasons
    }

    private func join(
        _ fixture: Fixture, queues: [String]? = nil, types: [String]? = nil, concurrency: Int32 = 10
    ) async throws -> Int64 {
        let incarnation = UUID(high: .random(in: 0...UInt64.max), low: 1)
        return try await fixture.workers.join(
            WorkerDescription(
                incarnation: incarnation, name: "w", host: "h", version: "1", queues: queues, types: types,
                concurrency: concurrency))
    }

    /// That the next lease, of one job, takes this one.
    private func isTakenNext(_ fixture: Fixture, _ id: UUID) async throws -> Bool {
        #expect(try await reasons(fixture, id) == [.next])
        return try await fixture.lease(1, seconds: 60).map(\.id) == [id]
    }

    private func end(_ fixture: Fixture, _ ids: [UUID]) async throws {
        for id in ids {
            let job = try await fixture.job(id)
            let lease = HeldLease(id: id, token: try #require(job.leaseToken))
            _ = try await fixture.jobs.finish([FinishedAttempt(lease: lease, result: .succeeded(result: nil))])
        }
    }

    @Test func `the reason of a running job shows the state of its worker`() async throws {
        try await Fixture.use { fixture in
            let worker = try await join(fixture)
            let id = try await fixture.create()
            try await fixture.lease(1, worker: worker, seconds: 60)
            func detail() async throws -> String { try await reasons(fixture, id).map(\.detail).joined() }
            #expect(try await detail().contains("the worker is alive, and renews the lease"))
            try await fixture.sql("UPDATE worker SET expires_at = clock_timestamp()")
            #expect(try await detail().contains("the job is taken over when more are missing"))
            var kept = QueueSettings()
            kept.takeover = .lease
            try await fixture.jobs.configure(queue: "default", kept)
            #expect(try await detail().contains("the job is taken over when the lease ends at"))
            try await fixture.jobs.configure(queue: "default", QueueSettings())
            try await fixture.expireWorker(worker)
            _ = try await fixture.workers.deregisterDead(atMost: 1)
            #expect(try await detail().contains("the worker is dead: the reaper is about to reclaim the job"))
        }
    }

    @Test func `a job that runs or has ended has no wait reason of a waiting job`() async throws {
        try await Fixture.use { fixture in
            let worker = try await join(fixture)
            let id = try await fixture.create()
            let held = try #require(try await fixture.lease(1, worker: worker, seconds: 60).first)
            let startedAt = try #require(try await fixture.job(id).startedAt)
            guard case .running("w", startedAt, false, let hold?) = try await reasons(fixture, id).first else {
                Issue.record("\(try await reasons(fixture, id))")
                return
            }
            #expect(hold.workerState == .alive && hold.takeover == .heartbeat)
            #expect(hold.expiresAt - startedAt == .seconds(60))
            try await fixture.requestCancel(id)
            #expect(try await reasons(fixture, id).map(\.code) == ["ending"])
            _ = try await fixture.finish(held)
            let finishedAt = try #require(try await fixture.job(id).finishedAt)
            #expect(try await reasons(fixture, id) == [.ended(.succeeded, at: finishedAt)])
            #expect(try await fixture.jobs.why(UUID(high: 1, low: 1)) == nil)
        }
    }

    @Test func `a scheduled job`() async throws {
        try await Fixture.use { fixture in
            _ = try await join(fixture)
            let id = try await fixture.create { $0.runAt = .latest }
            #expect(try await reasons(fixture, id) == [.scheduled(runAt: .latest, isDue: false)])
            try await fixture.makeDue()
            #expect(try await reasons(fixture, id).map(\.code) == ["scheduled"])
            _ = try await fixture.jobs.promoteDue(atMost: 1, from: .earliest)
            #expect(try await isTakenNext(fixture, id))
        }
    }

    @Test func `a queue whose limit is reached, with the jobs that use it up`() async throws {
        try await Fixture.use { fixture in
            _ = try await join(fixture)
            try await fixture.jobs.configure(queue: "default") { $0.runningMax = 2 }
            let held = try await fixture.enqueue(2)
            #expect(try await fixture.lease(2, seconds: 60).count == 2)
            let id = try await fixture.create()
            let found = try await reasons(fixture, id)
            guard case .queueFull("default", 2, let holders)? = found.first, found.count == 1 else {
                throw NotInTime(description: "\(found)")
            }
            #expect(Set(holders) == Set(held))
            try await end(fixture, [holders[0]])
            #expect(try await isTakenNext(fixture, id))
        }
    }

    @Test func `a concurrency key whose limit is reached, with the jobs that use it up`() async throws {
        try await Fixture.use { fixture in
            _ = try await join(fixture)
            try await fixture.jobs.configure(queue: "default") { $0.runningPerKeyMax = 1 }
            let holder = try await fixture.create { $0.concurrencyKey = "a" }
            #expect(try await fixture.lease(1, seconds: 60).count == 1)
            let id = try await fixture.create { $0.concurrencyKey = "a" }
            #expect(try await reasons(fixture, id) == [.keyFull(key: "a", most: 1, holders: [holder])])
            try await end(fixture, [holder])
            #expect(try await isTakenNext(fixture, id))
        }
    }

    @Test func `a rate limit that is reached, with the next start`() async throws {
        try await Fixture.use { fixture in
            _ = try await join(fixture)
            try await fixture.jobs.configure(queue: "default") {
                $0.rate = StartRate(count: 1, seconds: 1_000, burst: 1)
            }
            let ids = try await fixture.enqueue(2)
            #expect(try await fixture.lease(2, seconds: 60).map(\.id) == [ids[0]])
            guard case .rateReached("default", let nextStart)? = try await reasons(fixture, ids[1]).first else {
                throw NotInTime(description: "the rate is reached")
            }
            // As if it were that instant.
            try await fixture.ageRates(seconds: (nextStart - .now()) / .seconds(1))
            #expect(try await isTakenNext(fixture, ids[1]))
        }
    }

    @Test func `no live worker that takes its queue, or has a handler for its type`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.create { $0.type = "mail.send" }
            #expect(try await reasons(fixture, id) == [.noWorkerForQueue("default")])
            _ = try await join(fixture, queues: ["other"])
            #expect(try await reasons(fixture, id) == [.noWorkerForQueue("default")])
            let other = try await join(
                fixture, queues: ["other", "default"], types: ["mail", "mail.send.*", "hook.*"])
            #expect(try await reasons(fixture, id) == [.noWorkerForType("mail.send", workers: 1)])
            let types = ["hook.*", "mail.*"]
            #expect(
                try await fixture.workers.heartbeat(id: other, running: 0, counters: Array("{}".utf8), types: types))
            #expect(try await isTakenNext(fixture, id))
        }
    }

    @Test func `a dead worker takes no job`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.create()
            _ = try await join(fixture)
            try await fixture.expireWorkers()
            #expect(try await reasons(fixture, id) == [.noWorkerForQueue("default")])
        }
    }

    @Test func `workers that their control files pause`() async throws {
        try await Fixture.use { fixture in
            let paused = try await join(fixture)
            let id = try await fixture.create()
            func heartbeat(_ isPaused: Bool) async throws {
                #expect(
                    try await fixture.workers.heartbeat(
                        id: paused, running: 0, counters: Array("{}".utf8), isPausedByFile: isPaused))
            }
            try await heartbeat(true)
            #expect(try await reasons(fixture, id) == [.workersPaused(workers: 1)])
            _ = try await join(fixture, concurrency: 0)
            #expect(try await reasons(fixture, id) == [.workersBusy(workers: 1)])
            try await heartbeat(false)
            #expect(try await isTakenNext(fixture, id))
        }
    }

    @Test func `workers that run as many jobs as they can`() async throws {
        try await Fixture.use { fixture in
            let worker = try await join(fixture, concurrency: 2)
            _ = try await fixture.enqueue(2)
            let held = try await fixture.lease(2, worker: worker, seconds: 60)
            let id = try await fixture.create()
            #expect(try await reasons(fixture, id) == [.workersBusy(workers: 1)])
            _ = try await fixture.finish(held[0])
            #expect(try await isTakenNext(fixture, id))
        }
    }

    @Test func `jobs that go before it by priority and age, of all types that its workers take`() async throws {
        try await Fixture.use { fixture in
            _ = try await join(fixture, queues: ["default", "mail"], types: ["work", "other"])
            try await fixture.enqueue(3) { $0.priority = -1 }
            try await fixture.enqueue(2) { $0.queue = "mail" }
            try await fixture.enqueue(1) { $0.type = "other" }
            // Nobody who takes the job takes these.
            try await fixture.enqueue(1) { $0.type = "unheard" }
            try await fixture.enqueue(1) { $0.queue = "elsewhere" }
            let id = try await fixture.create()
            try await fixture.enqueue(1) { $0.priority = 1 }
            try await fixture.enqueue(1)
            #expect(try await reasons(fixture, id) == [.jobsAhead(6)])
            for _ in 0..<6 { #expect(try await fixture.lease(1, seconds: 60).first?.id != id) }
            #expect(try await reasons(fixture, id) == [.next])
        }
    }

    @Test func `more jobs ahead than the count shows`() async throws {
        try await Fixture.use { fixture in
            _ = try await join(fixture)
            try await fixture.enqueue(10_002)
            let id = try await fixture.create()
            let found = try await reasons(fixture, id)
            #expect(found == [.jobsAhead(JobFacts.aheadMax + 1)])
            #expect(found[0].detail == "more than 10000 jobs go before it")
        }
    }

    @Test func `a queue that is full is not ahead of another`() async throws {
        try await Fixture.use { fixture in
            _ = try await join(fixture)
            try await fixture.jobs.configure(queue: "full") { $0.runningMax = 1 }
            try await fixture.enqueue(5) { $0.queue = "full" }
            #expect(try await fixture.lease(1, seconds: 60).count == 1)
            let id = try await fixture.create()
            #expect(try await isTakenNext(fixture, id))
        }
    }

    @Test func `other fairness keys of its group, and earlier jobs of its own key`() async throws {
        try await Fixture.use { fixture in
            _ = try await join(fixture)
            let others = try await fixture.enqueue(2) { $0.concurrencyKey = "b" } + [fixture.create()]
            let earlier = try await fixture.create { $0.concurrencyKey = "a" }
            let id = try await fixture.create { $0.concurrencyKey = "a" }
            _ = try await fixture.create { $0.concurrencyKey = "a" }
            #expect(try await reasons(fixture, id) == [.jobsAhead(1), .fairness(2)])
            _ = try await fixture.jobs.cancel(earlier)
            #expect(try await reasons(fixture, id) == [.fairness(2)])
            for other in others { _ = try await fixture.jobs.cancel(other) }
            #expect(try await isTakenNext(fixture, id))
        }
    }

    @Test func `all reasons are reported at once`() async throws {
        try await Fixture.use { fixture in
            try await fixture.jobs.configure(queue: "default") {
                $0.runningMax = 1
                $0.runningPerKeyMax = 1
                $0.rate = StartRate(count: 1, seconds: 1_000, burst: 1)
            }
            _ = try await fixture.create { $0.concurrencyKey = "a" }
            #expect(try await fixture.lease(1, seconds: 60).count == 1)
            try await fixture.enqueue(2) { $0.concurrencyKey = "a" }
            let id = try await fixture.create {
                $0.concurrencyKey = "a"
                $0.runAt = .latest
            }
            #expect(
                try await reasons(fixture, id).map(\.code) == [
                    "scheduled", "queue_full", "rate_reached", "key_full", "no_worker_for_queue", "jobs_ahead",
                ])
        }
    }
}
