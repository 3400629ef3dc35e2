import JSON
import Jobs
import Postgres
import Telemetry
import TestKit
import Testing
import Values

@Suite struct FinishJobsTests {
    @Test func `a success ends the job, with its result byte for byte`() async throws {
        let long = "\"" + String(repeating: "r", count: JobLimits.resultBytesMax - 2) + "\""
        for result in [nil, "null", #"{"n":12345678901234567890,"u":"\u0000","x":1.10}"#, long] {
            try await Fixture.use { fixture in
                let held = try await fixture.leaseNew()
                let bytes = result.map { Array($0.utf8) }
                #expect(try await fixture.finish(held, .succeeded(result: bytes)) == .succeeded)
                let job = try await fixture.job(held.id)
                #expect(job.status == .succeeded && job.attempt == 1)
                #expect(job.result == bytes)
                #expect(job.lastError == nil && job.leaseToken == nil && job.leaseExpiresAt == nil)
                #expect(try #require(job.finishedAt) >= (try #require(job.startedAt)))
                #expect(try await fixture.number("SELECT token FROM outcome") == held.token)
                #expect(try await fixture.count("lease") == 0)
                #expect(try await fixture.countMismatches() == 0)
            }
        }
    }

    @Test func `a failure for good ends the job, whatever attempts are left`() async throws {
        try await Fixture.use { fixture in
            let held = try await fixture.leaseNew()
            let message = "no \"such\" file\u{0}\n\u{1f600}"
            #expect(try await fixture.finish(held, .failed(error: message)) == .failed)
            let job = try await fixture.job(held.id)
            #expect(job.status == .failed && job.attempt == 1 && job.result == nil)
            #expect(try JSONValue(parsing: try #require(job.lastError))["message"] == .string(message))
            #expect(try await fixture.transitions() == ["enqueued": 1, "leased": 1, "failed": 1])
        }
    }

    @Test func `a failed attempt is retried after its backoff, and has cost one attempt`() async throws {
        try await Fixture.use { fixture in
            let held = try await fixture.leaseNew { $0.backoff = .fixed(baseSeconds: 1_000) }
            let before = try await now(fixture)
            #expect(try await fixture.finish(held, .retry(error: "busy", afterSeconds: nil)) == .retried)
            let after = try await now(fixture)
            let job = try await fixture.job(held.id)
            #expect(job.status == .scheduled && job.attempt == 1 && job.worker == nil)
            #expect(job.runAt >= before + .seconds(1_000) && job.runAt <= after + .seconds(1_000))
            #expect(try JSONValue(parsing: try #require(job.lastError)) == ["message": "busy"])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `without a backoff it may run again at once`() async throws {
        try await Fixture.use { fixture in
            let held = try await fixture.leaseNew { $0.backoff = .none }
            #expect(try await fixture.finish(held, .retry(error: "busy", afterSeconds: nil)) == .retried)
            let again = try #require(try await fixture.lease(1, seconds: 60).first)
            #expect(again.id == held.id && again.attempt == 2 && again.token > held.token)
        }
    }

    @Test func `a delay that the handler names goes before the backoff`() async throws {
        try await Fixture.use { fixture in
            let first = try await fixture.leaseNew { $0.backoff = .fixed(baseSeconds: 1_000) }
            #expect(try await fixture.finish(first, .retry(error: "e", afterSeconds: 7)) == .retried)
            let wait = try await fixture.job(first.id).runAt - (try await now(fixture))
            #expect(wait > .zero && wait <= .seconds(7))
            let second = try await fixture.leaseNew { $0.backoff = .fixed(baseSeconds: 1_000) }
            #expect(try await fixture.finish(second, .retry(error: "e", afterSeconds: 0)) == .retried)
            #expect(try await fixture.job(second.id).status == .queued)
            #expect(try await fixture.transitions()["retried_now"] == 1)
        }
    }

    @Test func `the last attempt that fails is the end`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.create { job in
                job.maxAttempts = 3
                job.backoff = .none
            }
            for attempt in 1...3 as ClosedRange<Int16> {
                let held = try #require(try await fixture.lease(1, seconds: 60).first)
                #expect(held.attempt == attempt && held.maxAttempts == 3)
                let answer = try await fixture.finish(held, .retry(error: "e\(attempt)", afterSeconds: 0))
                #expect(answer == (attempt == 3 ? .failed : .retried))
            }
            let job = try await fixture.job(id)
            #expect(job.status == .failed && job.attempt == 3 && job.maxAttempts == 3)
            #expect(try JSONValue(parsing: try #require(job.lastError)) == ["message": "e3"])
            #expect(try await fixture.count("attempt_error") == 3)
            #expect(try await fixture.lease(1, seconds: 60).isEmpty)
        }
    }

    @Test func `a snooze and a release spend no attempt`() async throws {
        try await Fixture.use { fixture in
            let held = try await fixture.leaseNew { $0.maxAttempts = 1 }
            #expect(try await fixture.finish(held, .released) == .released)
            #expect(try await fixture.job(held.id).attempt == 0)
            let again = try #require(try await fixture.lease(1, seconds: 60).first)
            #expect(again.attempt == 1)
            #expect(try await fixture.finish(again, .snoozed(seconds: 0)) == .released)
            let third = try #require(try await fixture.lease(1, seconds: 60).first)
            #expect(third.attempt == 1)
            #expect(try await fixture.finish(third, .snoozed(seconds: 500.5)) == .snoozed)
            let job = try await fixture.job(held.id)
            #expect(job.status == .scheduled && job.attempt == 0 && job.lastError == nil)
            let wait = job.runAt - (try await now(fixture))
            #expect(wait > .seconds(440) && wait <= .milliseconds(500_500))
            #expect(
                try await fixture.transitions() == ["enqueued": 1, "leased": 3, "released": 2, "snoozed": 1])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test(arguments: [
        (AttemptResult.succeeded(result: nil), FinishAnswer.succeeded, JobStatus.succeeded),
        (.failed(error: "e"), .failed, .failed), (.retry(error: "e", afterSeconds: nil), .cancelled, .cancelled),
        (.snoozed(seconds: 5), .cancelled, .cancelled), (.released, .cancelled, .cancelled),
    ])
    func `a job that was asked to stop ends`(result: AttemptResult, answer: FinishAnswer, status: JobStatus)
        async throws
    {
        try await Fixture.use { fixture in
            let alone = try await fixture.leaseNew()
            try await fixture.requestCancel(alone.id)
            #expect(try await fixture.job(alone.id).status == .ending)
            #expect(try await fixture.finish(alone, result) == answer)
            let job = try await fixture.job(alone.id)
            #expect(job.status == status && job.attempt == 1)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    // MARK: The fence

    @Test(arguments: [
        AttemptResult.succeeded(result: Array("1".utf8)), .failed(error: "e"), .retry(error: "e", afterSeconds: 0),
        .snoozed(seconds: 5), .released,
    ])
    func `without the current token nothing is changed`(result: AttemptResult) async throws {
        try await Fixture.use { fixture in
            let held = try await fixture.leaseNew()
            let before = try await fixture.job(held.id).text
            for token in [held.token - 1, held.token + 1, 0, .max] {
                let attempt = FinishedAttempt(lease: HeldLease(id: held.id, token: token), result: result)
                #expect(try await fixture.jobs.finish([attempt]) == [.leaseLost])
            }
            let nobody = FinishedAttempt(lease: HeldLease(id: UUID(high: 1, low: 1), token: held.token), result: result)
            #expect(try await fixture.jobs.finish([nobody]) == [.leaseLost])
            #expect(try await fixture.job(held.id).text == before)
            #expect(try await fixture.transitions() == ["enqueued": 1, "leased": 1])
            #expect(
                try await fixture.number("SELECT (SELECT count(*) FROM outcome) + (SELECT count(*) FROM attempt_error)")
                    == 0)
            #expect(try await fixture.finish(held, result) != .leaseLost)
            #expect(try await fixture.finish(held, result) == .leaseLost)
        }
    }

    @Test func `a worker that comes back too late cannot finish its successor's run`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.create { $0.backoff = .none }
            let late = try #require(try await fixture.leaseExpired(1).first)
            #expect(try await fixture.jobs.reclaimExpired(atMost: 10).leases.map(\.jobID) == [id])
            _ = try await fixture.jobs.promoteDue(atMost: 10, from: .earliest)
            let successor = try #require(try await fixture.lease(1, seconds: 60).first)
            #expect(try await fixture.finish(late, .succeeded(result: nil)) == .leaseLost)
            #expect(try await fixture.finish(late, .failed(error: "e")) == .leaseLost)
            #expect(try await fixture.job(id).leaseToken == successor.token)
            #expect(try await fixture.finish(successor) == .succeeded)
            #expect(try await fixture.finish(late, .failed(error: "e")) == .leaseLost)
            #expect(try await fixture.job(id).status == .succeeded)
        }
    }

    @Test(arguments: [AttemptResult.succeeded(result: nil), .released])
    func `of a lost and a current lease of one job only the current one ends it`(result: AttemptResult) async throws {
        try await Fixture.use { fixture in
            let lost = try await fixture.leaseNew()
            _ = try await fixture.finish(lost, .released)
            let current = try #require(try await fixture.lease(1, seconds: 60).first)
            let answers = try await fixture.jobs.finish([
                FinishedAttempt(lease: lost.held, result: .succeeded(result: nil)),
                FinishedAttempt(lease: current.held, result: result),
            ])
            #expect(answers[0] == .leaseLost)
            #expect(answers[1] != .leaseLost)
        }
    }

    // MARK: Batches

    @Test func `each of a mixed batch is answered in its place`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1_000) { $0.backoff = .none }
            var random = SeededGenerator(seed: TestSeeds.first)
            let held = try await fixture.lease(1_000, seconds: 60).shuffled(using: &random)
            let attempts = held.enumerated().map { index, job in
                let result: AttemptResult =
                    switch index % 6 {
                    case 0: .succeeded(result: Array("\(index)".utf8))
                    case 1: .failed(error: "\(index)")
                    case 2: .retry(error: "\(index)", afterSeconds: nil)
                    case 3: .snoozed(seconds: 60)
                    default: .released
                    }
                let token = index % 6 == 5 ? job.token - 1 : job.token
                return FinishedAttempt(lease: HeldLease(id: job.id, token: token), result: result)
            }
            let answers = try await fixture.jobs.finish(attempts)
            let kinds: [FinishAnswer] = [.succeeded, .failed, .retried, .snoozed, .released, .leaseLost]
            #expect(answers == (0..<1_000).map { kinds[$0 % 6] })
            let statuses: [JobStatus] = [.succeeded, .failed, .queued, .scheduled, .queued, .running]
            for index in [0, 1, 2, 3, 4, 5, 996, 997, 998, 999] {
                let job = try await fixture.job(held[index].id)
                #expect(job.status == statuses[index % 6])
                if index % 6 == 0 { #expect(job.result == Array("\(index)".utf8)) }
            }
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a result that is no JSON is refused, and nothing of its batch is written`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(2)
            let held = try await fixture.lease(2, seconds: 60)
            let error = await failure {
                _ = try await fixture.jobs.finish([
                    FinishedAttempt(lease: held[0].held, result: .succeeded(result: nil)),
                    FinishedAttempt(lease: held[1].held, result: .succeeded(result: Array("{".utf8))),
                ])
            }
            #expect(error?.sqlState == .invalidTextRepresentation)
            #expect(try await fixture.count("lease") == 2)
            #expect(try await fixture.finish(held[0]) == .succeeded)
        }
    }

    @Test func `nothing to finish is no error`() async throws {
        let answers = try await Fixture.use { fixture in try await fixture.jobs.finish([]) }
        #expect(answers.isEmpty)
    }

    // MARK: Backoff

    @Test(arguments: [
        (Backoff.standard, Int16(1), 0.9...1.1), (.standard, 2, 14.4...17.6), (.standard, 5, 562.5...687.5),
        (.standard, 18, 70_690...86_400), (.standard, 9_999, 70_690...86_400),
        (.exponential(baseSeconds: 2, maxSeconds: 1_000), 1, 1.8...2.2),
        (.exponential(baseSeconds: 2, maxSeconds: 1_000), 5, 28.8...35.2),
        (.exponential(baseSeconds: 2, maxSeconds: 1_000), 20, 818...1_000),
        (.exponential(baseSeconds: 604_800, maxSeconds: 604_800), 9_999, 494_800...604_800),
        (.fixed(baseSeconds: 5), 1, 5...5), (.fixed(baseSeconds: 604_800), 9_999, 604_800...604_800),
        (.fixed(baseSeconds: 0), 1, 0...0), (.none, 1, 0...0),
    ])
    func `a backoff keeps its bounds`(backoff: Backoff, attempt: Int16, seconds: ClosedRange<Double>) async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(40) { job in
                job.backoff = backoff
                job.maxAttempts = 10_000
            }
            let held = try await fixture.lease(40, seconds: 60)
            for job in held { try await fixture.setAttempt(attempt, of: job.id) }
            let answers = try await fixture.jobs.finish(
                held.map { FinishedAttempt(lease: $0.held, result: .retry(error: "e", afterSeconds: nil)) })
            #expect(answers.allSatisfy { $0 == .retried })
            let rows = try await fixture.sql(
                """
                SELECT extract(epoch FROM s.run_at - e.failed_at)::float8
                FROM scheduled s JOIN attempt_error e ON e.id = s.id
                """)
            let waits = Set(try rows.decode(as: Double.self))
            if seconds.upperBound == 0 {
                #expect(waits.isEmpty)
                #expect(try await fixture.count("ready") == 40)
            } else {
                #expect(waits.allSatisfy { seconds.contains($0) }, "\(waits.sorted())")
                #expect(waits.count > 20 || seconds.lowerBound == seconds.upperBound)
            }
        }
    }

    private func now(_ fixture: Fixture) async throws -> WallInstant {
        try await fixture.sql("SELECT clock_timestamp()").decodeOnly(as: WallInstant.self)
    }
}
