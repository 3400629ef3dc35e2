import Jobs
import Postgres
import TestKit
import Testing

/// Cancelling what runs.
@Suite struct CancelRunningJobsTests {
    /// How the attempt of a job that was asked to stop ends, and what becomes of the job.
    private static let ends: [(AttemptResult, FinishAnswer)] = [
        (.released, .cancelled), (.retry(error: "e", afterSeconds: 0), .cancelled),
        (.retry(error: "e", afterSeconds: nil), .cancelled), (.snoozed(seconds: 60), .cancelled),
        (.succeeded(result: nil), .succeeded), (.failed(error: "e"), .failed),
    ]

    @Test(arguments: ends)
    func `a running job that is cancelled is ending, and never runs again`(
        result: AttemptResult, answer: FinishAnswer
    ) async throws {
        try await Fixture.use { fixture in
            let held = try await fixture.leaseNew { $0.maxAttempts = 5 }
            #expect(try await fixture.jobs.cancel(held.id).done == .ending)
            #expect(try await fixture.jobs.cancel(held.id).refused == .ending)
            #expect(try await fixture.finish(held, result) == answer)
            #expect(try await fixture.lease(1, seconds: 60).isEmpty)
            #expect(try await fixture.job(held.id).status.isTerminal)
            #expect(try await fixture.transitions()["cancel_requested"] == 1)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `who asked and why is told once`() async throws {
        try await Fixture.use { fixture in
            let held = try await fixture.leaseNew()
            _ = try await fixture.jobs.cancel(held.id, by: Actor(name: "ada", reason: "too late"))
            _ = try await fixture.jobs.cancel(held.id, by: Actor(name: "bob"))
            let (actor, reason, attempt) = try await fixture.sql(
                "SELECT actor, reason, attempt FROM event WHERE transition = 'cancel_requested'"
            )
            .decodeOnly((String?, String?, Int16).self)
            #expect(actor == "ada")
            #expect(reason == "too late")
            #expect(attempt == 1)
        }
    }

    @Test func `a worker hears of its own jobs, with the grace of each`() async throws {
        try await Fixture.use { fixture in
            let first = try await fixture.leaseNew { $0.cancelGraceSeconds = 0 }
            let second = try await fixture.leaseNew()
            let going = try await fixture.leaseNew()
            let foreign = try await fixture.create()
            _ = try await fixture.lease(1, worker: 2, seconds: 60)
            for id in [first.id, second.id, foreign] { _ = try await fixture.jobs.cancel(id) }
            let orders = try await fixture.jobs.cancelRequests(workers: [7, 1])
            let expected: Set = [
                CancelRequest(lease: first.held, graceSeconds: 0), CancelRequest(lease: second.held, graceSeconds: 10),
            ]
            #expect(Set(orders) == expected && orders.count == 2)
            let renewed = try await fixture.jobs.renew([first.held, going.held], leaseSeconds: 60)
            #expect(renewed == [first.held: .ending(graceSeconds: 0), going.held: .kept])
        }
    }

    @Test func `a job that was to stop when its worker died is cancelled`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1)
            let held = try await fixture.leaseExpired(1)[0]
            _ = try await fixture.jobs.cancel(held.id)
            #expect(try await fixture.jobs.reclaimExpired(atMost: 10).leases.map(\.fate) == [.cancelled])
            #expect(try await fixture.finish(held) == .leaseLost)
            #expect(try await fixture.status(of: held.id) == .cancelled)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `of eight that cancel a running job one has asked`() async throws {
        try await Fixture.use { fixture in
            try await fixture.withStores(8) { stores in
                let held = try await fixture.leaseNew()
                let done = try await withThrowingTaskGroup(of: Bool.self) { tasks in
                    for store in stores { tasks.addTask { try await store.cancel(held.id).done != nil } }
                    return try await tasks.reduce(into: 0) { $0 += $1 ? 1 : 0 }
                }
                #expect(done == 1)
            }
            #expect(try await fixture.transitions()["cancel_requested"] == 1)
            #expect(try await fixture.count("event") == 1)
        }
    }
}
