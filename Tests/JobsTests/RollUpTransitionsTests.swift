import EventLoop
import Jobs
import Postgres
import Synchronization
import TestKit
import Testing

@Suite struct RollUpTransitionsTests {
    @Test func `folding changes no count, and empties the delta`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(30)
            _ = try await fixture.leaseExpired(20)
            _ = try await fixture.jobs.reclaimExpired(atMost: 5)
            let before = try await fixture.transitions()
            #expect(before["enqueued"] == 30 && before["leased"] == 20 && before["reclaimed"] == 5)
            let rows = Int(try await fixture.count("transition_delta"))
            let batch = try await fixture.jobs.rollUpDeltas(atMost: 1_000, from: 0)
            #expect(batch.rows == rows)
            #expect(batch.leased == [1: 20])
            #expect(try await fixture.count("transition_delta") == 0)
            #expect(try await fixture.transitions() == before)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `one statement folds no more than it is allowed`() async throws {
        try await Fixture.use { fixture in
            try await fixture.sql(
                "INSERT INTO transition_delta (subqueue_id, transition, n) SELECT 1, 'enqueued', 1 FROM generate_series(1, 25)"
            )
            var rows: [Int] = []
            for _ in 0..<4 { rows.append(try await fixture.jobs.rollUpDeltas(atMost: 10, from: 0).rows) }
            #expect(rows == [10, 10, 5, 0])
        }
    }

    @Test func `what stands before the given block is left for a sweep`() async throws {
        try await Fixture.use { fixture in
            try await fixture.sql(
                "INSERT INTO transition_delta (subqueue_id, transition, n) SELECT 1, 'enqueued', 1 FROM generate_series(1, 1000)"
            )
            let blocks = try await fixture.jobs.rollUpDeltas(atMost: 1, from: 1_000_000).blocks
            #expect(blocks > 2)
            let later = try await fixture.jobs.rollUpDeltas(atMost: 10_000, from: 2).rows
            #expect(later > 0 && later < 1_000)
            #expect(try await fixture.jobs.rollUpDeltas(atMost: 10_000, from: 0).rows == 1_000 - later)
        }
    }

    /// I8 of `docs/invariants.md`: at every instant the counts equal those of the tables.
    @Test func `counts stay exact while jobs move and two folders fold`() async throws {
        try await Fixture.use { fixture in
            let end = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        try await fixture.withOther { folder in
                            while !end.isRaised {
                                _ = try await folder.jobs.rollUpDeltas(atMost: 7, from: 0)
                            }
                        }
                    }
                }
                for _ in 0..<2 {
                    group.addTask {
                        try await fixture.withOther { writer in
                            for round in 0..<40 { try await move(writer, round) }
                        }
                    }
                }
                group.addTask {
                    for _ in 0..<40 {
                        let mismatches = try await fixture.countMismatches()
                        #expect(mismatches == 0)
                    }
                }
                // The two writers and the reader end by themselves.
                for _ in 0..<3 { try await group.next() }
                end.raise()
                try await group.waitForAll()
            }
            while try await fixture.jobs.rollUpDeltas(atMost: 1_000, from: 0).rows > 0 {}
            #expect(try await fixture.countMismatches() == 0)
            #expect(try await fixture.transitions()["enqueued"] == 2 * 40 * 5)
            #expect(try await fixture.count("transition_delta") == 0)
        }
    }

    private func move(_ writer: Fixture, _ round: Int) async throws {
        try await writer.enqueue(5) { $0.priority = Int16(round % 3) }
        for (index, job) in try await writer.lease(4, seconds: 60).enumerated() {
            switch (round + index) % 3 {
            case 0: _ = try await writer.finish(job)
            case 1: _ = try await writer.finish(job, .retry(error: "no", afterSeconds: 0))
            default: _ = try await writer.finish(job, .failed(error: "no"))
            }
        }
    }
}

/// Raised once, by one task for others.
private final class Flag: Sendable {
    private let state = Atomic(false)

    var isRaised: Bool { state.load(ordering: .relaxed) }

    func raise() {
        state.store(true, ordering: .relaxed)
    }
}
