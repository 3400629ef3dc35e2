import JSON
import Jobs
import Postgres
import TestKit
import Testing
import Values
import Workers

/// Ending by force what does not stop.
@Suite struct EndStuckJobsTests {
    private func order(_ action: WatchdogOrder.Action = .force, atMost jobsMax: Int32 = 20) -> WatchdogOrder {
        WatchdogOrder(olderThanMinutes: 30, jobsMax: jobsMax, action: action)
    }

    /// Leases a job that was asked to stop the given number of minutes ago.
    private func stuck(
        _ fixture: Fixture, minutes: Int32, _ change: (inout NewJob) -> Void = { _ in }
    ) async throws -> LeasedJob {
        let held = try await fixture.leaseNew(change)
        _ = try await fixture.jobs.cancel(held.id)
        var parameters = Parameters()
        parameters.append(held.id)
        parameters.append(minutes)
        try await fixture.sql(
            "UPDATE lease SET cancel_requested_at = clock_timestamp() - make_interval(mins => $2) WHERE id = $1",
            parameters)
        return held
    }

    @Test func `the oldest jobs come first, and listing them changes nothing`() async throws {
        try await Fixture.use { fixture in
            var expected: [UUID] = []
            for minutes: Int32 in [40, 31, 29, 90, 60] {
                let held = try await stuck(fixture, minutes: minutes)
                if minutes > 30 { expected.append(held.id) }
            }
            _ = try await fixture.leaseNew()
            expected = [expected[2], expected[3], expected[0], expected[1]]
            #expect(try await fixture.jobs.stuckJobs(order()).map(\.id) == expected)
            #expect(try await fixture.jobs.stuckJobs(order(atMost: 2)).map(\.id) == Array(expected.prefix(2)))
            #expect(try await fixture.count("lease") == 6)
            #expect(
                try await fixture.number("SELECT count(*) FROM lease WHERE xmax <> 0 AND cancel_requested_at IS NULL")
                    == 0
            )
            #expect(try await fixture.jobs.endStuck(order(atMost: 3)).map(\.id) == Array(expected.prefix(3)))
            #expect(try await fixture.jobs.endStuck(order()).map(\.id) == [expected[3]])
            #expect(try await fixture.jobs.endStuck(order()).isEmpty)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `the action force cancels the job, creates its teardown, and voids its worker's lease`() async throws {
        try await Fixture.use { fixture in
            let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            let held = try await stuck(fixture, minutes: 45) { job in
                job.teardown = Array(#"{"type":"clean","queue":"lab","payload":{"n":1.0},"tags":["x"]}"#.utf8)
                job.traceParent = trace
            }
            let ended = try #require(try await fixture.jobs.endStuck(order()).first)
            let job = try await fixture.job(held.id)
            #expect(job.status == .cancelled && job.attempt == 1 && job.finishedAt != nil && job.lastError == nil)
            for result in [AttemptResult.succeeded(result: nil), .failed(error: "e"), .released] {
                #expect(try await fixture.finish(held, result) == .leaseLost)
            }
            #expect(try await fixture.jobs.renew([held.held], leaseSeconds: 60).isEmpty)
            #expect(try await fixture.status(of: held.id) == .cancelled)

            let teardown = try await fixture.job(try #require(ended.teardownID))
            #expect(teardown.status == .queued && teardown.type == "clean" && teardown.queue == "lab")
            #expect(teardown.payload == Array(#"{"n":1.0}"#.utf8))
            #expect(teardown.tags == ["x"] && teardown.traceParent == trace)
            let (actor, reason, wasLeased) = try await fixture.sql(
                "SELECT actor, reason, leased_at IS NOT NULL FROM event WHERE transition = 'cancelled_running'"
            ).decodeOnly((String, String, Bool).self)
            #expect(actor == "watchdog")
            #expect(reason.hasPrefix("asked to stop, and had not after 270"))
            #expect(wasLeased)
            let series = try await fixture.workers.series().map { "\($0.series) \($0.value)" }
            #expect(series == [#"watchdog_jobs_total{action="force"} 1.0"#])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `the action fail fails the job, and creates no teardown`() async throws {
        try await Fixture.use { fixture in
            let held = try await stuck(fixture, minutes: 45) { $0.teardown = Array(#"{"type":"clean"}"#.utf8) }
            let ended = try await fixture.jobs.endStuck(order(.fail))
            #expect(ended.map(\.id) == [held.id] && ended[0].teardownID == nil)
            #expect(try await fixture.count("job") == 1)
            let job = try await fixture.job(held.id)
            #expect(job.status == .failed)
            let error = try JSONValue(parsing: try #require(job.lastError))
            #expect(error["kind"] == "abandoned")
            #expect(try await fixture.finish(held) == .leaseLost)
            #expect(try await fixture.transitions()["abandoned"] == 1)
            #expect(try await fixture.countMismatches() == 0)
            #expect(try await fixture.jobs.retry(held.id).done == .queued)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `rows that another session has locked are skipped, and a crash undoes a whole run`() async throws {
        try await Fixture.use { fixture in
            let first = try await stuck(fixture, minutes: 60) { $0.teardown = Array(#"{"type":"clean"}"#.utf8) }
            let second = try await stuck(fixture, minutes: 50) { $0.teardown = Array(#"{"type":"clean"}"#.utf8) }
            try await fixture.general.transaction { transaction in
                _ = try await transaction.execute(
                    sql: "SELECT FROM lease WHERE id = '\(first.id)' FOR UPDATE")
                #expect(try await fixture.jobs.endStuck(order(atMost: 1)).map(\.id) == [second.id])
            }
            try await fixture.sql("ALTER TABLE job ADD CONSTRAINT none CHECK (payload IS NULL) NOT VALID")
            await #expect(throws: PostgresError.self) { try await fixture.jobs.endStuck(order()) }
            #expect(try await fixture.status(of: first.id) == .ending)
            try await fixture.sql("ALTER TABLE job DROP CONSTRAINT none")
            #expect(try await fixture.jobs.endStuck(order()).map(\.id) == [first.id])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `several concurrent watchdogs end each job once`() async throws {
        try await Fixture.use { fixture in
            var ids: Set<UUID> = []
            for _ in 0..<24 {
                ids.insert(try await stuck(fixture, minutes: 60) { $0.teardown = Array(#"{"type":"clean"}"#.utf8) }.id)
            }
            let ended = try await withThrowingTaskGroup(of: [UUID].self) { tasks in
                for _ in 0..<4 { tasks.addTask { try await fixture.jobs.endStuck(order(atMost: 6)).map(\.id) } }
                return try await tasks.reduce(into: []) { $0 += $1 }
            }
            #expect(Set(ended).count == ended.count)
            let rest = try await fixture.jobs.endStuck(order(atMost: 100)).map(\.id)
            #expect(Set(ended + rest) == ids && ended.count + rest.count == 24)
            #expect(try await fixture.count("ready") == 24)
            #expect(try await fixture.workers.series().map(\.value) == [24])
            #expect(try await fixture.countMismatches() == 0)
        }
    }
}
