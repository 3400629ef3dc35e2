import Postgres
import TestKit
import Testing
import Values
import Workers

@Suite struct WorkerRegistryTests {
    private func description(_ number: UInt64, queues: [String]? = nil) -> WorkerDescription {
        WorkerDescription(
            incarnation: UUID(high: number, low: 1), name: "worker-\(number)", host: "host\u{e9}", version: "1.2.3",
            queues: queues, concurrency: 10)
    }

    private func counters(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func `a worker that joins is live, with its description`() async throws {
        try await Fixture.use { fixture in
            #expect(try await fixture.workers.alive().isEmpty)
            let first = try await fixture.workers.join(description(1))
            let second = try await fixture.workers.join(description(2, queues: ["a", "b"]))
            let alive = try await fixture.workers.alive()
            #expect(alive.map(\.id) == [first, second])
            #expect(alive.map(\.description) == [description(1), description(2, queues: ["a", "b"])])
            #expect(alive.allSatisfy { $0.running == 0 && !$0.isWaiting && $0.startedAt == $0.heartbeatAt })
        }
    }

    @Test func `a worker without queues takes no job`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.workers.join(description(1, queues: []))
            #expect(try await fixture.workers.alive().map(\.description.queues) == [[]])
        }
    }

    @Test func `a join repeated after a lost answer returns the same worker`() async throws {
        try await Fixture.use { fixture in
            let ids = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<8 { group.addTask { try await fixture.workers.join(description(1)) } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
            #expect(try await fixture.workers.alive().count == 1)
        }
    }

    @Test func `a heartbeat extends a worker's expiry, and records how many jobs it runs`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.workers.join(description(1))
            try await fixture.expireWorker(id)
            #expect(try await fixture.workers.alive().isEmpty)
            #expect(try await fixture.workers.heartbeat(id: id, running: 7, counters: counters("{}")))
            let worker = try #require(try await fixture.workers.alive().first)
            #expect(worker.running == 7)
            #expect(worker.heartbeatAt > worker.startedAt)
            let left = try await fixture.sql(
                "SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM worker"
            ).decodeOnly(as: Double.self)
            #expect(left > WorkerRegistry.aliveSeconds - 10 && left <= WorkerRegistry.aliveSeconds)
            #expect(try await !fixture.workers.heartbeat(id: id + 1, running: 0, counters: counters("{}")))
        }
    }

    @Test func `an insertion reports whether a worker sleeps`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.workers.join(description(1))
            for isWaiting in [true, true, false, true] {
                try await fixture.workers.setWaiting(id: id, isWaiting)
                #expect(try await fixture.workers.alive().map(\.isWaiting) == [isWaiting])
            }
            try await fixture.workers.deregister(id: id, counters: counters("{}"))
            let waiting = "SELECT count(*) FROM worker WHERE waiting"
            #expect(try await fixture.number(waiting) == 0)
            try await fixture.workers.setWaiting(id: id, true)
            #expect(try await fixture.number(waiting) == 0)
        }
    }

    // MARK: Counters

    @Test func `the counters of all workers are summed by series`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.joinWorker("a", counting: #"{"x_total{queue=\"q\"}": 3.5, "y_total": 1}"#)
            _ = try await fixture.joinWorker(
                "b", counting: #"{"x_total{queue=\"q\"}": 0.25, "z_total": 9007199254740993}"#)
            let series = try await fixture.workerSeries()
            #expect(series == [#"x_total{queue="q"}"#: 3.75, "y_total": 1, "z_total": 9_007_199_254_740_992])
        }
    }

    @Test func `a sum never falls when a worker deregisters, and its counters are added once`() async throws {
        try await Fixture.use { fixture in
            let leaving = try await fixture.joinWorker("a", counting: #"{"x_total": 3}"#)
            _ = try await fixture.joinWorker("b", counting: #"{"x_total": 4}"#)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await fixture.workers.deregister(
                            id: leaving, counters: counters(#"{"x_total": 5, "y_total": 1}"#))
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await fixture.workerSeries() == ["x_total": 9, "y_total": 1])
            #expect(try await fixture.workers.alive().map(\.description.name) == ["b"])
            #expect(
                try await !fixture.workers.heartbeat(id: leaving, running: 1, counters: counters(#"{"x_total": 50}"#)))
            #expect(try await fixture.workerSeries() == ["x_total": 9, "y_total": 1])
        }
    }

    @Test func `no reader sees a sum fall while workers send heartbeats, deregister and are considered dead`()
        async throws
    {
        try await Fixture.use { fixture in
            let ids = try await (0..<8).asyncMap {
                try await fixture.joinWorker("w\($0)", counting: #"{"x_total": 1}"#)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, id) in ids.enumerated() {
                    group.addTask {
                        for count in 2...20 {
                            let text = counters("{\"x_total\": \(count)}")
                            _ = try await fixture.workers.heartbeat(id: id, running: 1, counters: text)
                        }
                        if index % 2 == 0 {
                            try await fixture.workers.deregister(id: id, counters: counters(#"{"x_total": 21}"#))
                        } else {
                            try await fixture.expireWorker(id)
                            _ = try await fixture.workers.deregisterDead(atMost: 10)
                        }
                    }
                }
                group.addTask {
                    var last = 0.0
                    while try await !fixture.workers.alive().isEmpty {
                        let sum = try await fixture.workerSeries()["x_total"] ?? 0
                        #expect(sum >= last)
                        last = sum
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await fixture.workerSeries() == ["x_total": 4 * 21 + 4 * 20])
        }
    }
}

extension Range<Int> {
    fileprivate func asyncMap<Value>(_ body: (Int) async throws -> Value) async throws -> [Value] {
        var values: [Value] = []
        for number in self { values.append(try await body(number)) }
        return values
    }
}
