import Postgres
import TestKit
import Testing
import Workers

@testable import Jobs

@Suite struct QueueWaitsTests {
    private func waits(_ fixture: Fixture) async throws -> [String: QueueWait] {
        Dictionary(uniqueKeysWithValues: try await fixture.queues.waits().map { ($0.queue, $0) })
    }

    /// A worker with these queues (nil: all) and types.
    private func join(_ fixture: Fixture, queues: String = "NULL", types: String) async throws {
        try await fixture.sql(
            """
            INSERT INTO worker (incarnation, name, host, version, queues, types, concurrency, started_at, heartbeat_at,
                                expires_at)
            SELECT gen_random_uuid(), 'w', 'h', 'v', \(queues), \(types), 1, now(), now(), now() + interval '1 h'
            """)
    }

    @Test func `a job of a type that no live worker runs is counted, and does not age its queue`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(2) { $0.queue = "a" }
            try await fixture.enqueue(3) { job in
                job.queue = "a"
                job.type = "nobody.runs"
            }
            try await fixture.enqueue(1) { $0.queue = "b" }
            try await fixture.sql("UPDATE ready SET ready_at = ready_at - interval '1000 s'")
            for queue in ["a", "b"] {
                #expect(try await waits(fixture)[queue]?.oldestSeconds == 0)
            }
            #expect(try await waits(fixture)["a"]?.unrunnable == 5)

            let types = try await fixture.jobs.types()
            let work = try #require(types.first { $0.name != "nobody.runs" }?.name)
            try await join(fixture, types: "ARRAY['\(work)', 'hook.*']")
            for _ in 0..<2 {
                let waits = try await waits(fixture)
                #expect(waits["a"]!.oldestSeconds >= 1_000 && waits["a"]!.oldestSeconds < 1_060)
                #expect(waits["a"]?.unrunnable == 3 && waits["b"]?.unrunnable == 0)
                _ = try await fixture.jobs.rollUpDeltas(atMost: 1_000, from: 0)
            }
            _ = try await fixture.lease(10, seconds: 60).count
            #expect(try await waits(fixture)["a"]?.unrunnable == 0)
        }
    }

    @Test func `only workers that take the queue count, and those that are alive`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1) { $0.queue = "a" }
            try await fixture.enqueue(1) { $0.queue = "b" }
            try await fixture.sql("UPDATE ready SET ready_at = ready_at - interval '1000 s'")
            try await join(fixture, queues: "ARRAY['b', 'c']", types: "NULL")
            try await join(fixture, queues: "'{}'", types: "NULL")
            var waits = try await waits(fixture)
            #expect(waits["a"]?.oldestSeconds == 0 && waits["a"]?.unrunnable == 1)
            #expect(waits["b"]!.oldestSeconds >= 1_000 && waits["b"]?.unrunnable == 0)
            try await fixture.sql("UPDATE worker SET expires_at = now()")
            waits = try await self.waits(fixture)
            #expect(waits["b"]?.oldestSeconds == 0 && waits["b"]?.unrunnable == 1)
        }
    }

    @Test func `a paused queue or type does not age, and has no unrunnable jobs`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1) { $0.queue = "a" }
            try await fixture.enqueue(1) { $0.queue = "b" }
            try await fixture.sql("UPDATE ready SET ready_at = ready_at - interval '1000 s'")
            try await join(fixture, types: "NULL")
            let type = try #require(try await fixture.jobs.types().first?.name)
            for (scope, paused) in [("queue:a", ["a"]), ("type:\(type)", ["a", "b"]), ("all", ["a", "b"])] {
                try await pause(fixture, scope, true)
                let waits = try await waits(fixture)
                for queue in ["a", "b"] {
                    #expect((waits[queue]!.oldestSeconds == 0) == paused.contains(queue), "\(scope) \(queue)")
                    #expect(waits[queue]?.unrunnable == 0)
                }
                try await pause(fixture, scope, false)
            }
        }
    }

    @Test func `queues without a name in the metrics wait together`() async throws {
        try await Fixture.use { fixture in
            for name in ["a", "b", "c"] { try await fixture.enqueue(2) { $0.queue = name } }
            try await fixture.sql("UPDATE queue SET in_metrics = name = 'a'")
            try await fixture.sql("UPDATE ready SET ready_at = ready_at - seq * interval '100 s'")
            #expect(try await waits(fixture)["other"]?.unrunnable == 4)
            try await join(fixture, types: "NULL")
            let waits = try await waits(fixture)
            #expect(Set(waits.keys) == ["a", "other"])
            #expect(waits["other"]!.oldestSeconds >= 500)
        }
    }

    private func pause(_ fixture: Fixture, _ scope: String, _ paused: Bool) async throws {
        try await fixture.sql(
            """
            SELECT changed FROM change_pause_state('\(scope)', \(paused), 'r', 'u', NULL, NULL, false, NULL, NULL)
            """)
    }
}
