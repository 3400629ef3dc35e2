import EventLoop
import Postgres
import TestKit
import Testing
import Workers

@Suite struct PruneWorkersTests {
    @Test func `a worker without heartbeats is considered dead, and its counters stay in the sums`() async throws {
        try await Fixture.use { fixture in
            let dead = try await fixture.joinWorker("a", counting: #"{"x_total": 3, "y_total": 1}"#)
            let live = try await fixture.joinWorker("b", counting: #"{"x_total": 4}"#)
            try await fixture.expireWorker(dead)
            let before = try await fixture.workerSeries()
            #expect(before == ["x_total": 7, "y_total": 1])
            #expect(try await fixture.workers.deregisterDead(atMost: 10).map(\.id) == [dead])
            #expect(try await fixture.workerSeries() == before)
            #expect(try await fixture.workers.alive().map(\.id) == [live])
            #expect(try await fixture.workers.deregisterDead(atMost: 10).isEmpty)
            #expect(try await fixture.workerSeries() == before)
        }
    }

    @Test func `the next heartbeat of a worker that is considered dead fails`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.joinWorker("a", counting: "{}")
            try await fixture.expireWorker(id)
            _ = try await fixture.workers.deregisterDead(atMost: 10)
            #expect(try await !fixture.workers.heartbeat(id: id, running: 0, counters: Array("{}".utf8)))
        }
    }

    @Test func `three concurrent pruners count each worker once`() async throws {
        try await Fixture.use { fixture in
            for number in 0..<30 {
                try await fixture.expireWorker(try await fixture.joinWorker("w\(number)", counting: #"{"x_total": 1}"#))
            }
            let dead = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        var dead: [Int64] = []
                        for _ in 0..<10 { dead += try await fixture.workers.deregisterDead(atMost: 4).map(\.id) }
                        return dead
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(dead.count == 30 && Set(dead).count == 30)
            #expect(try await fixture.workerSeries() == ["x_total": 30])
        }
    }

    @Test func `only workers that were deregistered long ago are deleted`() async throws {
        try await Fixture.use { fixture in
            let gone = try await fixture.joinWorker("gone", counting: #"{"x_total": 5}"#)
            let late = try await fixture.joinWorker("late", counting: "{}")
            _ = try await fixture.joinWorker("live", counting: "{}")
            for id in [gone, late] {
                try await fixture.workers.deregister(id: id, counters: Array(#"{"x_total": 5}"#.utf8))
            }
            var parameters = Parameters()
            parameters.append(gone)
            try await fixture.sql(
                "UPDATE worker SET deregistered_at = deregistered_at - interval '25 hours' WHERE id = $1",
                parameters)
            #expect(try await fixture.workers.pruneDeregistered(deregisteredHours: 24, atMost: 10) == 1)
            #expect(try await fixture.workers.pruneDeregistered(deregisteredHours: 24, atMost: 10) == 0)
            #expect(try await fixture.count("worker") == 2)
            #expect(try await fixture.workerSeries() == ["x_total": 10])
        }
    }
}
