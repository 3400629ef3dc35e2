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
            let depths = try await fixture.queues.counts().depths.filter { $0.count != 0 }
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
            let depths = Set(try await fixture.queues.counts().depths)
            let transitions = Set(try await fixture.queues.counts().transitions)
            #expect(
                transitions == [
                    TransitionCount(queue: "default", transition: "enqueued", count: 10),
                    TransitionCount(queue: "default", transition: "leased", count: 4),
                    TransitionCount(queue: "default", transition: "succeeded", count: 4),
                ])
            _ = try await fixture.jobs.rollUpDeltas(atMost: 100, from: 0)
            #expect(try await fixture.count("transition_delta") == 0)
            #expect(Set(try await fixture.queues.counts().depths) == depths)
            #expect(Set(try await fixture.queues.counts().transitions) == transitions)
        }
    }

    @Test func `queues beyond those with a name in the metrics are counted together, before and after a rollup`()
        async throws
    {
        try await Fixture.use { fixture in
            for name in ["a", "other", "b", "c"] { try await fixture.enqueue(3) { $0.queue = name } }
            #expect(try await fixture.number("SELECT count(*) FROM queue WHERE in_metrics") == 3)
            // As if there were more queues than names.
            try await fixture.sql("UPDATE queue SET in_metrics = false WHERE name > 'b'")
            for job in try await fixture.lease(7, seconds: 60) { _ = try await fixture.finish(job) }
            for _ in 0..<2 {
                let counts = try await fixture.queues.counts()
                let created = counts.transitions.filter { $0.transition == "enqueued" }
                #expect(
                    Set(created) == [
                        TransitionCount(queue: "a", transition: "enqueued", count: 3),
                        TransitionCount(queue: "b", transition: "enqueued", count: 3),
                        TransitionCount(queue: "other", transition: "enqueued", count: 6),
                    ])
                #expect(counts.depths.filter { $0.status == .succeeded }.map(\.count).reduce(0, +) == 7)
                _ = try await fixture.jobs.rollUpDeltas(atMost: 1_000, from: 0)
                #expect(try await fixture.count("transition_delta") == 0)
            }
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `the first 200 queues have a name in the metrics, fewer if the names are long, and none is other`()
        async throws
    {
        try await Fixture.use { fixture in
            try await fixture.sql("INSERT INTO queue (name) SELECT 'q' || n FROM generate_series(1, 250) n")
            #expect(try await fixture.number("SELECT count(*) FROM queue WHERE in_metrics") == 200)
            #expect(try await fixture.number("SELECT max(id)::bigint FROM queue WHERE in_metrics") == 200)
        }
        try await Fixture.use { fixture in
            try await fixture.sql(
                "INSERT INTO queue (name) SELECT rpad('q' || n, 128, 'x') FROM generate_series(1, 60) n")
            #expect(try await fixture.number("SELECT count(*) FROM queue WHERE in_metrics") == 46)
            _ = try await fixture.enqueue(1) { $0.queue = "other" }
            #expect(try await fixture.number("SELECT count(*) FROM queue WHERE in_metrics AND name = 'other'") == 0)
        }
    }
}
