import Postgres
import TestKit
import Testing
import Values

@testable import Jobs

@Suite struct ListQueuesTests {
    @Test func `pages of queues go by the bytes of the names, and end with the prefix`() async throws {
        try await Fixture.use { fixture in
            for name in ["b", "B", "a.2", "a-1", "a", "a/x", "c"] { try await fixture.enqueue(1) { $0.queue = name } }
            var names: [String] = []
            while true {
                let page = try await fixture.queues.list(after: names.last ?? "", limit: 2)
                names += page.map(\.name)
                if page.count < 2 { break }
            }
            #expect(names == ["B", "a", "a-1", "a.2", "a/x", "b", "c"])
            #expect(try await fixture.queues.list(prefix: "a", limit: 10).map(\.name) == ["a", "a-1", "a.2", "a/x"])
            #expect(try await fixture.queues.list(after: "a.2", prefix: "a", limit: 10).map(\.name) == ["a/x"])
            #expect(try await fixture.queues.list(prefix: "d", limit: 10).isEmpty)
        }
    }

    @Test func `a queue has the depth and the age of its subqueues, before and after a rollup`() async throws {
        try await Fixture.use { fixture in
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
            for _ in 0..<2 {
                let queues = try await fixture.queues.list(limit: 10)
                #expect(queues.map(\.name) == ["a", "b", "c"])
                #expect(
                    queues.map { $0.depths.filter { $0.value != 0 } } == [[.queued: 4], [.queued: 1], [.scheduled: 1]])
                // Within a subqueue the first waits longest, whatever the test has made of it.
                #expect(queues[0].oldestReadySeconds! >= 400 && queues[0].oldestReadySeconds! < 460)
                #expect(queues[1].oldestReadySeconds! >= 500 && queues[1].oldestReadySeconds! < 560)
                #expect(queues[2].oldestReadySeconds == nil)
                _ = try await fixture.jobs.rollUpDeltas(atMost: 1_000, from: 0)
            }
            #expect(try await fixture.queues.find("b")?.depths[.queued] == 1)
            #expect(try await fixture.queues.find("d") == nil)
        }
    }
}
