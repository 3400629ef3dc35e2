import Postgres
import Telemetry
import TestKit
import Testing
import Values

@testable import Jobs

/// Cancel and retry of many jobs at once.
@Suite struct BulkChangeTests {
    private func run(
        _ fixture: Fixture, _ verb: BulkChange.Verb, _ describe: (inout BulkChange) -> Void
    ) async throws -> BulkReport {
        var bulk = BulkChange(verb)
        describe(&bulk)
        var report = BulkReport()
        try await fixture.jobs.change(bulk, into: &report)
        return report
    }

    private func fail(_ fixture: Fixture, _ count: Int) async throws -> [UUID] {
        _ = try await fixture.enqueue(count)
        let held = try await fixture.lease(count, seconds: 60)
        let failed = held.map { FinishedAttempt(lease: $0.held, result: .failed(error: "e")) }
        _ = try await fixture.jobs.finish(failed)
        return held.map(\.id).sorted()
    }

    @Test func `a bulk cancellation cancels the waiting and running jobs, and no others`() async throws {
        try await Fixture.use { fixture in
            let failed = try await fail(fixture, 1)
            try await fixture.enqueue(2)
            let running = try await fixture.lease(2, seconds: 60)
            let ids = try await fixture.enqueue(3) + fixture.enqueue(4) { $0.runAt = .latest } + running.map(\.id)
            try await fixture.enqueue(5) { $0.queue = "other" }

            let dry = try await run(fixture, .cancel) {
                $0.filter.queue = "default"
                $0.isDryRun = true
            }
            #expect(dry.matched == Set(ids) && dry.changed == 0 && !dry.isMore && Set(dry.ids) == Set(ids))
            #expect(try await fixture.count("event") == 0)

            let report = try await run(fixture, .cancel) {
                $0.filter.queue = "default"
                $0.actor = Actor(name: "ada", reason: "all of it")
            }
            #expect(report.matched == Set(ids) && report.changed == 9 && report.ids == dry.ids)
            for id in ids {
                let isRunning = running.contains { $0.id == id }
                #expect(try await fixture.job(id).status == (isRunning ? .ending : .cancelled))
                let last = try #require(try await fixture.jobs.events(of: id, after: 0, limit: 10).events.last)
                #expect(last.actor == "ada" && last.reason == "all of it")
            }
            #expect(try await fixture.job(failed[0]).status == .failed)
            #expect(try await fixture.count("ready") == 5)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a limit holds across batches and statuses, and the report says whether more jobs match`() async throws {
        try await Fixture.use { fixture in
            let queued = try await fixture.enqueue(600)
            _ = try await fixture.enqueue(600) { $0.runAt = .latest }
            for (limit, changed, isMore) in [(550, 550, true), (100, 100, true), (550, 550, false)] {
                let report = try await run(fixture, .cancel) {
                    $0.filter.type = "work"
                    $0.limit = Int32(limit)
                }
                #expect(report.matched.count == changed && report.changed == changed && report.isMore == isMore)
                #expect(report.ids.count == 100)
            }
            // The newest of those that wait first.
            #expect(try await fixture.job(queued[0]).finishedAt != nil)
            #expect(try await run(fixture, .cancel) { $0.filter.type = "work" }.matched.isEmpty)
            #expect(try await fixture.transitions()["cancelled_queued"] == 600)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `every filter selects the jobs that a list shows`() async throws {
        try await Fixture.use { fixture in
            let tagged = try await fixture.enqueue(2) { $0.tags = ["a", "b"] }
            let other = try await fixture.enqueue(2) { $0.type = "other" }
            let later = try await fixture.enqueue(1) { $0.runAt = .latest }
            func matched(_ change: (inout JobFilter) -> Void) async throws -> Set<UUID> {
                var filter = JobFilter()
                change(&filter)
                return try await run(fixture, .cancel) {
                    $0.filter = filter
                    $0.isDryRun = true
                }.matched
            }
            #expect(try await matched { $0.tag = "b" } == Set(tagged))
            #expect(try await matched { $0.type = "other" } == Set(other))
            #expect(try await matched { $0.status = .scheduled } == Set(later))
            #expect(try await matched { $0.queue = "none" } == [])
            #expect(
                try await matched { $0.ids = [tagged[0], later[0], UUID(high: 1, low: 1)] } == [tagged[0], later[0]])
            #expect(
                try await matched {
                    $0.ids = tagged + other
                    $0.type = "other"
                    $0.status = .queued
                } == Set(other))
            #expect(try await matched { $0.since = .latest } == [])
            #expect(try await matched { $0.until = .latest }.count == 5)
        }
    }

    @Test func `failed jobs go back to their queue`() async throws {
        try await Fixture.use { fixture in
            let failed = try await fail(fixture, 3)
            let cancelled = try await fixture.create()
            _ = try await fixture.jobs.cancel(cancelled)
            #expect(try await run(fixture, .retry) { $0.filter.status = .failed }.matched == Set(failed))
            #expect(try await fixture.lease(10, seconds: 60).count == 3)
            #expect(try await run(fixture, .retry) { $0.filter.queue = "default" }.ids == [cancelled])
            #expect(try await fixture.transitions()["failed_retried"] == 3)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a redrive spaces the jobs by its rate, across batches`() async throws {
        try await Fixture.use { fixture in
            let failed = try await fail(fixture, 700)
            let report = try await run(fixture, .retry) {
                $0.filter.queue = "default"
                $0.ratePerSecond = 50
            }
            #expect(report.changed == 700)
            let (count, least, most, first) = try await fixture.sql(
                """
                SELECT count(*), min(gap)::float8, max(gap)::float8,
                       extract(epoch FROM min(run_at) - (
                           SELECT min(at) FROM event WHERE transition = 'failed_redriven'))::float8
                FROM (SELECT run_at, extract(epoch FROM run_at - lag(run_at) OVER (ORDER BY run_at)) AS gap
                      FROM scheduled) g
                """
            ).decodeOnly((Int64, Double, Double, Double).self)
            #expect(count == 700)
            #expect(abs(least - 0.02) < 1e-5 && abs(most - 0.02) < 1e-5)
            #expect(abs(first) < 1e-5)
            // The newest first.
            let earliest: UUID = try await fixture.sql("SELECT id FROM scheduled ORDER BY run_at LIMIT 1").decodeOnly()
            #expect(earliest == failed.last)
            let events = try await fixture.jobs.events(of: failed[0], after: 0, limit: 10).events
            #expect(events.map(\.transition) == ["enqueued", "leased", "failed", "failed_redriven"])
            #expect(events.last?.to == .scheduled)
            #expect(try await fixture.transitions()["failed_redriven"] == 700)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `eight concurrent redrives and cancellations of the same jobs lose none`() async throws {
        try await Fixture.use { fixture in
            _ = try await fail(fixture, 300)
            try await fixture.withStores(8) { stores in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (index, store) in stores.enumerated() {
                        group.addTask {
                            for _ in 0..<5 {
                                var bulk = BulkChange(index.isMultiple(of: 2) ? .retry : .cancel)
                                bulk.filter.queue = "default"
                                bulk.ratePerSecond = index.isMultiple(of: 4) ? 1 : nil
                                var report = BulkReport()
                                try await store.change(bulk, into: &report)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(try await fixture.count("jobs") == 300)
            #expect(try await fixture.countMismatches() == 0)
        }
    }
}
