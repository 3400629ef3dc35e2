import EventLoop
import Postgres
import TestKit
import Testing
import Workers

@Suite struct PruneWorkersTests {
    @Test func `a worker without heartbeats is declared dead, and what it counted stays`() async throws {
        try await WorkersDatabase.use { fleet in
            let dead = try await fleet.join("a", counting: #"{"x_total": 3, "y_total": 1}"#)
            let live = try await fleet.join("b", counting: #"{"x_total": 4}"#)
            try await fleet.expire(dead)
            let before = try await fleet.series()
            #expect(before == ["x_total": 7, "y_total": 1])
            #expect(try await fleet.registry.prune(atMost: 10).map(\.id) == [dead])
            #expect(try await fleet.series() == before)
            #expect(try await fleet.registry.alive().map(\.id) == [live])
            #expect(try await fleet.registry.prune(atMost: 10).isEmpty)
            #expect(try await fleet.series() == before)
        }
    }

    @Test func `a worker that was declared dead is told so at its next heartbeat`() async throws {
        try await WorkersDatabase.use { fleet in
            let id = try await fleet.join("a", counting: "{}")
            try await fleet.expire(id)
            _ = try await fleet.registry.prune(atMost: 10)
            #expect(try await !fleet.registry.heartbeat(id: id, running: 0, counters: Array("{}".utf8)))
        }
    }

    @Test func `three pruners at once count each worker once`() async throws {
        try await WorkersDatabase.use { fleet in
            for number in 0..<30 {
                try await fleet.expire(try await fleet.join("w\(number)", counting: #"{"x_total": 1}"#))
            }
            let dead = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        var dead: [Int64] = []
                        for _ in 0..<10 { dead += try await fleet.registry.prune(atMost: 4).map(\.id) }
                        return dead
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(dead.count == 30 && Set(dead).count == 30)
            #expect(try await fleet.series() == ["x_total": 30])
        }
    }

    @Test func `only workers that departed long ago are forgotten`() async throws {
        try await WorkersDatabase.use { fleet in
            let gone = try await fleet.join("gone", counting: #"{"x_total": 5}"#)
            let late = try await fleet.join("late", counting: "{}")
            _ = try await fleet.join("live", counting: "{}")
            for id in [gone, late] {
                try await fleet.registry.deregister(id: id, counters: Array(#"{"x_total": 5}"#.utf8))
            }
            var parameters = Parameters()
            parameters.append(gone)
            _ = try await fleet.pool.execute(
                sql: "UPDATE worker SET deregistered_at = deregistered_at - interval '25 hours' WHERE id = $1",
                parameters)
            #expect(try await fleet.registry.pruneDeregistered(deregisteredHours: 24, atMost: 10) == 1)
            #expect(try await fleet.registry.pruneDeregistered(deregisteredHours: 24, atMost: 10) == 0)
            let names = try await fleet.pool.execute(sql: "SELECT count(*) FROM worker").decodeOnly(as: Int64.self)
            #expect(names == 2)
            #expect(try await fleet.series() == ["x_total": 10])
        }
    }
}
