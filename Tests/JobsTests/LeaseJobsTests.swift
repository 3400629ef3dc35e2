import Jobs
import Postgres
import Telemetry
import TestKit
import Testing
import Values

@Suite struct LeaseJobsTests {
    /// Leases one job after the other until none is left, and returns their payloads.
    private func drain(_ fixture: Fixture, queues: [Int32]? = nil, without types: [Int32] = []) async throws
        -> [String]
    {
        var order: [String] = []
        while true {
            let leased = try await fixture.jobs.lease(
                LeaseRequest(queues: queues, excludedTypes: types, count: 1, worker: 1, leaseSeconds: 60))
            guard let job = leased.first else { return order }
            order.append(String(decoding: job.payload, as: UTF8.self))
        }
    }

    private func create(_ fixture: Fixture, _ name: String, _ change: (inout NewJob) -> Void = { _ in }) async throws {
        _ = try await fixture.create { job in
            job.payload = Array("\"\(name)\"".utf8)
            change(&job)
        }
    }

    @Test func `a leased job has every member that its worker needs`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.create { job in
                job.queue = "bulk"
                job.payload = Array("[1]".utf8)
                job.maxAttempts = 7
                job.timeoutSeconds = 11
                job.traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            }
            let leased = try #require(try await fixture.lease(5, worker: 42, seconds: 60).first)
            #expect(leased.id == id && leased.type == "work" && leased.queue == "bulk")
            #expect(leased.payload == Array("[1]".utf8))
            #expect(leased.attempt == 1 && leased.maxAttempts == 7 && leased.timeoutSeconds == 11)
            #expect(leased.traceParent == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
            #expect(leased.waitSeconds >= 0 && leased.waitSeconds < 60)
            #expect(leased.token > 0)
            let found = try await fixture.job(id)
            #expect(found.status == .running && found.attempt == 1 && found.leaseToken == leased.token)
            let (started, expires) = (try #require(found.startedAt), try #require(found.leaseExpiresAt))
            #expect(expires - started == .seconds(60))
            let worker = try await fixture.number("SELECT worker_id FROM lease")
            #expect(worker == 42)
            #expect(try await fixture.lease(5, seconds: 60).isEmpty)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `lower priorities run first, and jobs of one priority in the order of their creation`() async throws {
        try await Fixture.use { fixture in
            for (name, priority) in [("a", 5), ("b", 0), ("c", -32_768), ("d", 5), ("e", 0), ("f", 32_767), ("g", 0)] {
                try await create(fixture, name) { $0.priority = Int16(priority) }
            }
            #expect(try await drain(fixture) == ["\"c\"", "\"b\"", "\"e\"", "\"g\"", "\"a\"", "\"d\"", "\"f\""])
        }
    }

    @Test func `a batch leases the most urgent jobs of several subqueues`() async throws {
        try await Fixture.use { fixture in
            for number in 0..<30 {
                try await create(fixture, "\(number)") { job in
                    job.type = "t\(number % 3)"
                    job.priority = Int16(number % 2)
                }
            }
            let first = try await fixture.lease(15, seconds: 60)
            #expect(Set(first.map(\.payload)) == Set((0..<15).map { Array("\"\($0 * 2)\"".utf8) }))
            #expect(Set(first.map(\.token)).count == 1)
            #expect(try await fixture.lease(16, seconds: 60).count == 15)
        }
    }

    @Test func `only the requested queues are served`() async throws {
        try await Fixture.use { fixture in
            for name in ["a", "b", "c", "a"] { try await create(fixture, name) { $0.queue = name } }
            let ids = try await fixture.jobs.queueIDs(["a", "c", "nowhere"])
            #expect(ids.count == 2)
            #expect(try await drain(fixture, queues: []) == [])
            #expect(try await drain(fixture, queues: ids) == ["\"a\"", "\"c\"", "\"a\""])
            #expect(try await drain(fixture) == ["\"b\""])
        }
    }

    @Test func `types that the worker cannot run are left to other workers`() async throws {
        try await Fixture.use { fixture in
            for name in ["a", "b", "c", "a"] { try await create(fixture, name) { $0.type = name } }
            let types = try await fixture.jobs.types()
            let excluded = types.filter { $0.name != "b" }.map(\.id)
            #expect(try await drain(fixture, without: excluded) == ["\"b\""])
            #expect(
                try await drain(fixture, without: [excluded[0]]).count
                    == (types.first { $0.id == excluded[0] }?.name == "a" ? 1 : 2))
        }
    }

    @Test func `jobs that another session has locked are skipped without waiting`() async throws {
        try await Fixture.use { fixture in
            let ids = try await fixture.enqueue(5)
            try await fixture.general.transaction { transaction in
                _ = try await transaction.execute(sql: "SELECT FROM ready ORDER BY seq LIMIT 2 FOR UPDATE")
                #expect(Set(try await fixture.lease(10, seconds: 60).map(\.id)) == Set(ids[2...]))
                #expect(try await fixture.lease(10, seconds: 60).isEmpty)
            }
            #expect(Set(try await fixture.lease(10, seconds: 60).map(\.id)) == Set(ids[..<2]))
        }
    }

    @Test func `eight concurrent sessions never share a job, and miss none`() async throws {
        try await Fixture.use { fixture in
            let created = try await fixture.enqueue(1_000) + fixture.enqueue(1_000) { $0.priority = 1 }
            let leases = try await fixture.withStores(8) { stores in
                try await withThrowingTaskGroup(of: [[LeasedJob]].self) { tasks in
                    for (index, store) in stores.enumerated() {
                        tasks.addTask {
                            var batches: [[LeasedJob]] = []
                            // Others may hold the last ones at this instant, and give none back.
                            while try await fixture.count("ready") > 0 {
                                batches.append(
                                    try await store.lease(
                                        LeaseRequest(
                                            queues: nil, excludedTypes: [], count: 10 + index, worker: Int64(index),
                                            leaseSeconds: 60)))
                            }
                            return batches.filter { !$0.isEmpty }
                        }
                    }
                    return try await tasks.reduce(into: []) { $0.append($1) }
                }
            }
            let all = leases.joined().joined()
            #expect(all.count == 2_000)
            #expect(Set(all.map(\.id)) == Set(created))
            for batches in leases {
                let tokens = batches.map { Set($0.map(\.token)) }
                #expect(tokens.allSatisfy { $0.count == 1 })
                #expect(zip(tokens, tokens.dropFirst()).allSatisfy { $0.first! < $1.first! })
            }
            #expect(Set(all.map(\.token)).count == leases.joined().count)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `the token of a job only grows, regardless of the ends of its attempts`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.create { $0.backoff = .none }
            var tokens: [Int64] = []
            let ends: [AttemptResult] = [
                .released, .snoozed(seconds: 0), .retry(error: "e", afterSeconds: nil), .failed(error: "e"),
                .released,
            ]
            for end in ends {
                let leased = try #require(try await fixture.lease(1, seconds: 60).first)
                #expect(leased.id == id)
                tokens.append(leased.token)
                _ = try await fixture.finish(leased, end)
                if case .failed = end { _ = try await fixture.jobs.retry(id) }
            }
            #expect(zip(tokens, tokens.dropFirst()).allSatisfy { $0 < $1 })
        }
    }

    @Test func `a lease of no jobs writes nothing`() async throws {
        try await Fixture.use { fixture in
            let leased = try await fixture.lease(100, seconds: 60)
            #expect(leased.isEmpty)
            #expect(try await fixture.count("transition_delta") == 0)
            #expect(try await fixture.number("SELECT count(*) FROM lease_token WHERE is_called") == 0)
        }
    }
}
