import Postgres
import Telemetry
import TestKit
import Testing
import Values

@testable import Jobs

@Suite struct CountJobsTests {
    @Test func `depths agree with the view, by queue and status`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(30) { $0.queue = "a" }
            try await fixture.enqueue(20) { job in
                job.queue = "a"
                job.type = "other"
            }
            try await fixture.enqueue(10) { job in
                job.queue = "b"
                job.runAt = .latest
            }
            let held = try await fixture.lease(25, seconds: 60)
            for job in held[..<5] { _ = try await fixture.finish(job) }
            for job in held[5..<9] { _ = try await fixture.finish(job, .failed(error: "e")) }
            _ = try await fixture.jobs.retry(held[5].id)
            for job in held[9..<12] { try await fixture.requestCancel(job.id) }
            let depths = try await fixture.jobs.depths().filter { $0.count != 0 }
            #expect(
                Set(depths) == [
                    QueueDepth(queue: "a", status: .queued, count: 26), .init(queue: "a", status: .running, count: 13),
                    .init(queue: "a", status: .ending, count: 3), .init(queue: "a", status: .succeeded, count: 5),
                    .init(queue: "a", status: .failed, count: 3), .init(queue: "b", status: .scheduled, count: 10),
                ])
            #expect(depths.count == 6)
            let counted = try await fixture.number("SELECT count(*) FROM jobs WHERE status = 'queued' AND queue = 'a'")
            #expect(counted == 26)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `counts are the same before and after a rollup`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(10)
            for job in try await fixture.lease(4, seconds: 60) { _ = try await fixture.finish(job) }
            let depths = Set(try await fixture.jobs.depths())
            let transitions = Set(try await fixture.jobs.transitionCounts())
            #expect(
                transitions == [
                    TransitionCount(queue: "default", transition: "enqueued", count: 10),
                    TransitionCount(queue: "default", transition: "leased", count: 4),
                    TransitionCount(queue: "default", transition: "succeeded", count: 4),
                ])
            _ = try await fixture.jobs.rollUpDeltas(atMost: 100, from: 0)
            #expect(try await fixture.count("transition_delta") == 0)
            #expect(Set(try await fixture.jobs.depths()) == depths)
            #expect(Set(try await fixture.jobs.transitionCounts()) == transitions)
        }
    }

    @Test func `the age of a queue is that of its job that has waited longest`() async throws {
        try await Fixture.use { fixture in
            #expect(try await fixture.jobs.oldestReady().isEmpty)
            try await fixture.enqueue(3) { $0.queue = "a" }
            try await fixture.enqueue(1) { job in
                job.queue = "a"
                job.priority = 5
            }
            try await fixture.enqueue(1) { $0.queue = "b" }
            try await fixture.enqueue(1) { job in
                job.queue = "c"
                job.runAt = .latest
            }
            try await fixture.sql("UPDATE ready SET ready_at = ready_at - seq * interval '100 s'")
            let oldest = Dictionary(
                uniqueKeysWithValues: try await fixture.jobs.oldestReady().map { ($0.queue, $0.seconds) })
            #expect(Set(oldest.keys) == ["a", "b"])
            // Within a subqueue the first waits longest, whatever the test has made of it.
            #expect(oldest["a"]! >= 400 && oldest["a"]! < 460)
            #expect(oldest["b"]! >= 500 && oldest["b"]! < 560)
        }
    }
}
