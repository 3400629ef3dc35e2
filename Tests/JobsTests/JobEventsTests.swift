import Jobs
import Postgres
import Telemetry
import TestKit
import Testing
import Values
import Workers

/// The transitions of a job, as its rows show them.
@Suite struct JobEventsTests {
    /// The transitions of a job as `from>to transition`, which must fit together.
    private func transitions(_ fixture: Fixture, _ id: UUID) async throws -> [String] {
        let events = try await fixture.jobs.events(of: id, after: 0, limit: 1_000).events
        for (before, event) in zip(events, events.dropFirst()) {
            #expect(event.from == before.to, "\(before.transition), \(event.transition)")
            #expect(event.at >= before.at)
        }
        #expect(events.first?.from == nil)
        #expect(events.last?.to == (try await fixture.job(id).status))
        return events.map(\.transition)
    }

    @Test func `a job that succeeds writes no event, and all of its transitions are shown`() async throws {
        try await Fixture.use { fixture in
            let description = WorkerDescription(
                incarnation: UUID(high: 1, low: 1), name: "worker-7", host: "h", version: "1", queues: nil,
                concurrency: 1)
            let worker = try await fixture.workers.join(description)
            let id = try await fixture.create()
            #expect(try await transitions(fixture, id) == ["enqueued"])
            let held = try #require(try await fixture.lease(1, worker: worker, seconds: 60).first)
            #expect(try await transitions(fixture, id) == ["enqueued", "leased"])
            _ = try await fixture.finish(held)
            #expect(try await transitions(fixture, id) == ["enqueued", "leased", "succeeded"])
            #expect(try await fixture.count("event") == 0)
            let events = try await fixture.jobs.events(of: id, after: 1, limit: 1).events
            #expect(events.map(\.transition) == ["leased"])
            #expect(events[0].worker == "worker-7" && events[0].attempt == 1 && events[0].actor == nil)
            #expect(try await fixture.jobs.events(of: UUID(high: 0, low: 1), after: 0, limit: 1).events.isEmpty)
        }
    }

    @Test func `every end of an attempt is shown with its lease, number and reason`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.create {
                $0.runAt = .latest
                $0.backoff = .none
            }
            let results: [AttemptResult] = [
                .released, .snoozed(seconds: 60), .retry(error: "first \u{0} try", afterSeconds: nil),
                .retry(error: "second", afterSeconds: 60), .failed(error: "third"),
            ]
            for result in results {
                try await fixture.makeDue()
                _ = try await fixture.jobs.promoteDue(atMost: 10, from: .earliest)
                let held = try #require(try await fixture.lease(1, seconds: 60).first)
                _ = try await fixture.finish(held, result)
            }
            #expect(
                try await transitions(fixture, id) == [
                    "delayed", "promoted", "leased", "released", "leased", "snoozed", "promoted", "leased",
                    "retried_now", "leased", "retried_later", "promoted", "leased", "failed",
                ])
            let events = try await fixture.jobs.events(of: id, after: 0, limit: 100).events
            #expect(events.map(\.attempt) == [0, 0, 1, 0, 1, 0, 0, 1, 1, 2, 2, 2, 3, 3])
            #expect(events.compactMap(\.reason) == ["first \u{fffd} try", "second", "third"])
        }
    }

    @Test func `a page ends before its reasons exceed its bytes, and the next begins there`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.create { $0.backoff = .none }
            for attempt in 0..<4 {
                let held = try #require(try await fixture.lease(1, seconds: 60).first)
                let error = String(repeating: "\(attempt)", count: 1_000)
                _ = try await fixture.finish(held, .retry(error: error, afterSeconds: nil))
            }
            let whole = try await fixture.jobs.events(of: id, after: 0, limit: 100)
            #expect(whole.events.count == 9 && !whole.hasMore)
            var pages: [Int] = []
            var read: [JobEvent] = []
            while read.count < whole.events.count {
                let page = try await fixture.jobs.events(of: id, after: read.count, limit: 4, bytesMax: 2_000)
                pages.append(page.events.count)
                read += page.events
                #expect(page.hasMore == (read.count < whole.events.count))
                try #require(!page.events.isEmpty)
            }
            #expect(read.map(\.transition) == whole.events.map(\.transition))
            #expect(read.map(\.reason) == whole.events.map(\.reason))
            #expect(pages.count == 3)
            // One event may exceed them.
            #expect(try await fixture.jobs.events(of: id, after: 2, limit: 4, bytesMax: 1).events.count == 1)
        }
    }

    @Test func `an event shows who made a change and why, and the end before it is kept`() async throws {
        try await Fixture.use { fixture in
            let held = try await fixture.leaseNew()
            _ = try await fixture.finish(held, .failed(error: "broken"))
            let before = try await fixture.jobs.events(of: held.id, after: 0, limit: 100).events
            _ = try await fixture.jobs.retry(held.id, by: Actor(name: "ada", reason: "fixed"))
            _ = try await fixture.jobs.cancel(held.id, by: Actor(reason: "not needed"))
            _ = try await fixture.jobs.retry(held.id)
            #expect(
                try await transitions(fixture, held.id) == [
                    "enqueued", "leased", "failed", "failed_retried", "cancelled_queued", "cancelled_retried",
                ])
            let events = try await fixture.jobs.events(of: held.id, after: 0, limit: 100).events
            #expect(events.prefix(3).map(\.at) == before.map(\.at))
            #expect(events[2].reason == "broken" && events[2].actor == nil)
            #expect(events[3].actor == "ada" && events[3].reason == "fixed" && events[3].attempt == 1)
            #expect(events[4].actor == "api" && events[4].reason == "not needed")
            #expect(events[5].actor == "api" && events[5].reason == nil)
        }
    }

    @Test func `a reclaimed lease is shown with the actor reaper`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.create { $0.maxAttempts = 2 }
            for attempt in 1...2 {
                _ = try await fixture.leaseExpired(1)
                #expect(try await fixture.jobs.reclaimExpired(atMost: 10).leases.count == 1, "\(attempt)")
                try await fixture.makeDue()
                _ = try await fixture.jobs.promoteDue(atMost: 10, from: .earliest)
            }
            let told = ["enqueued", "leased", "reclaimed", "promoted", "leased", "reclaimed_failed"]
            #expect(try await transitions(fixture, id) == told)
            let end = try #require(try await fixture.jobs.events(of: id, after: 5, limit: 1).events.first)
            #expect(end.actor == "reaper" && end.reason?.hasPrefix("the lease expired") == true)
            _ = try await fixture.jobs.retry(id)
            #expect(try await transitions(fixture, id) == told + ["failed_retried"])
        }
    }

    @Test func `a job that was asked to stop is cancelled, or ends as its handler says`() async throws {
        try await Fixture.use { fixture in
            for (result, end) in [
                (AttemptResult.released, "cancelled_running"), (.succeeded(result: nil), "succeeded"),
            ] {
                let held = try await fixture.leaseNew()
                try await fixture.requestCancel(held.id)
                var parameters = Parameters()
                parameters.append(held.id)
                try await fixture.sql(
                    """
                    INSERT INTO event (id, at, transition, attempt, actor)
                    VALUES ($1, clock_timestamp(), 'cancel_requested', 1, 'ada')
                    """, parameters)
                _ = try await fixture.finish(held, result)
                #expect(try await transitions(fixture, held.id) == ["enqueued", "leased", "cancel_requested", end])
            }
        }
    }

    @Test func `retention removes a job's events`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.create()
            _ = try await fixture.jobs.cancel(id)
            try await fixture.sql("UPDATE outcome SET finished_at = finished_at - interval '2 days'")
            try await fixture.jobs.configure(queue: "default") { $0.cancelledHours = 0 }
            let policy = RetentionPolicy(succeededHours: 24, failedHours: 24, cancelledHours: 24)
            #expect(try await fixture.sweep(policy).map(\.cancelled) == [1])
            #expect(try await fixture.count("event") == 0)
            #expect(try await fixture.count("job_event") == 0)
        }
    }
}
