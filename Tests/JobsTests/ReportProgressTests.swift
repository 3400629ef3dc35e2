import JSON
import Jobs
import Postgres
import TestKit
import Testing

@Suite struct ReportProgressTests {
    private func report(_ percent: Double, _ message: String? = nil) -> ProgressReport {
        ProgressReport(percent: percent, message: message)
    }

    @Test func `the latest report is shown with the job, also after its end`() async throws {
        try await Fixture.use { fixture in
            let held = try await fixture.leaseNew()
            #expect(try await fixture.job(held.id).progress == nil)
            #expect(try await fixture.jobs.report([held.held: report(10)]) == 1)
            #expect(try await fixture.jobs.report([held.held: report(40, "4 of 10")]) == 1)
            _ = try await fixture.finish(held)
            let job = try await fixture.job(held.id)
            #expect(job.progress?.percent == 40 && job.progress?.message == "4 of 10")
            let shown = try JSONValue(parsing: Array(job.text.utf8))["progress"]
            #expect(shown?["percent"] == 40 && shown?["message"] == "4 of 10")
            #expect(shown?["reported_at"]?.string?.hasSuffix("Z") == true)
        }
    }

    @Test func `without the current token nothing is written`() async throws {
        try await Fixture.use { fixture in
            let lost = try await fixture.leaseNew { $0.backoff = .none }
            _ = try await fixture.finish(lost, .released)
            #expect(try await fixture.jobs.report([lost.held: report(10)]) == 0)
            let current = try #require(try await fixture.lease(1, seconds: 60).first)
            for token in [lost.token, current.token + 1, -1] {
                #expect(try await fixture.jobs.report([HeldLease(id: lost.id, token: token): report(20)]) == 0)
            }
            #expect(try await fixture.jobs.report([lost.held: report(30), current.held: report(50)]) == 1)
            #expect(try await fixture.jobs.report([lost.held: report(60)]) == 0)
            #expect(try await fixture.job(current.id).progress?.percent == 50)
        }
    }

    @Test func `many jobs are one statement, and an empty report is no error`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(100)
            let held = try await fixture.lease(100, seconds: 60)
            let reports = Dictionary(uniqueKeysWithValues: held.map { ($0.held, report(7)) })
            #expect(try await fixture.jobs.report(reports) == 100)
            #expect(try await fixture.jobs.report([:]) == 0)
        }
    }
}
