import EventLoop
import Jobs
import Postgres
import Synchronization
import TestKit
import Testing
import Values

/// What an insert answers when PostgreSQL goes away in the middle of it.
@Suite struct InsertOutcomeTests {
    /// A process that reaches the database by way of a network that fails. It has inserted one job already.
    private func withProxy(
        _ body: @Sendable (Fixture, JobStore, FaultyProxy, ConnectionPool) async throws -> Void
    ) async throws {
        try await Fixture.use { fixture in
            let database = fixture.database
            let proxy = try FaultyProxy(to: .loopback(port: database.server.port))
            defer { proxy.close() }
            var options = ConnectionPool.Options(size: 1)
            options.waitTimeout = .seconds(1)
            options.reconnectPauseMax = .milliseconds(20)
            let settings = try DatabaseSettings(
                url: database.server.tcpURL(database: database.name, port: proxy.port))
            let pool = ConnectionPool(settings, profile: .hot, options: options, on: TestLoop.shared)
            defer { pool.close() }
            let store = JobStore(hot: pool, general: pool, subqueues: SubqueueDirectory())
            _ = try await store.insert(NewJob(type: "work"))
            try await body(fixture, store, proxy, pool)
        }
    }

    @Test func `a commit whose answer is lost is found, and not made twice`() async throws {
        try await withProxy { fixture, store, proxy, _ in
            proxy.fault = .cutAnswers(afterBytes: 0)
            async let inserting = store.insert(NewJob(type: "work", payload: Array("7".utf8)))
            try await waitUntil("a commit") { try await fixture.count("job") == 2 }
            proxy.fault = .none
            let made = try await inserting
            #expect(try await fixture.job(made.id).text == made.text)
            #expect(try await fixture.count("job") == 2)
            #expect(try await fixture.transitions() == ["enqueued": 2])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a commit whose answer is lost for good is not said to have failed`() async throws {
        try await withProxy { fixture, store, proxy, _ in
            proxy.fault = .cutAnswers(afterBytes: 0)
            let error = await failure { _ = try await store.insert(NewJob(type: "work")) }
            #expect(error?.isOutcomeUnknown == true)
            #expect(error?.isUnavailable == true)
            let count = try await fixture.count("job")
            #expect(count == 2)
        }
    }

    @Test func `what was never sent is said to have failed`() async throws {
        try await withProxy { fixture, store, proxy, pool in
            proxy.fault = .cutAnswers(afterBytes: 0)
            proxy.cutAll()
            try await waitUntil("the loss of the connection") { pool.usage.idle == 0 }
            let error = await failure { _ = try await store.insert(NewJob(type: "work")) }
            #expect(error?.isUnavailable == true)
            #expect(error?.isOutcomeUnknown == false)
            #expect(try await fixture.count("job") == 1)
        }
    }

    @Test func `sessions are terminated in the middle of commits, and no job is lost or doubled`() async throws {
        let (inserters, each) = (16, 60)
        try await Fixture.use { fixture in
            try await fixture.withStores(2) { stores in
                let progress = Progress(left: inserters)
                async let terminated = terminate(fixture.database, while: progress)
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for inserter in 0..<inserters {
                        tasks.addTask {
                            for number in (inserter * each)..<((inserter + 1) * each) {
                                let job = NewJob(type: "work", payload: Array("\(number)".utf8))
                                let error = await failure {
                                    progress.acknowledge(try await stores[inserter % 2].insert(job).id, number)
                                }
                                #expect(error?.isUnavailable != false)
                            }
                            progress.end()
                        }
                    }
                    try await tasks.waitForAll()
                }
                #expect(try await terminated > 0)
                let made = progress.acknowledged
                #expect(made.count > inserters * each / 2)
                var found: [UUID: Int] = [:]
                var numbers: Set<Int> = []
                let rows = try await retrying { try await fixture.sql("SELECT id, payload::text FROM jobs") }
                for (id, payload) in try rows.decode((UUID, String).self) {
                    let number = try #require(Int(payload))
                    #expect(found.updateValue(number, forKey: id) == nil, "two rows for one id")
                    #expect(numbers.insert(number).inserted, "the job \(number) was created twice")
                }
                for (id, number) in made { #expect(found[id] == number, "the job \(number) is lost") }
                #expect(try await fixture.countMismatches() == 0)
            }
        }
    }

    /// What those that insert have reached.
    private final class Progress: Sendable {
        private let state: Mutex<(left: Int, acknowledged: [UUID: Int])>

        init(left: Int) {
            state = Mutex((left, [:]))
        }

        func acknowledge(_ id: UUID, _ number: Int) { state.withLock { $0.acknowledged[id] = number } }
        func end() { state.withLock { $0.left -= 1 } }
        var isRunning: Bool { state.withLock { $0.left > 0 } }
        var acknowledged: [UUID: Int] { state.withLock { $0.acknowledged } }
    }

    private func terminate(_ database: TestDatabase, while progress: Progress) async throws -> Int {
        var terminated = 0
        while progress.isRunning { terminated += try await database.terminateSessions() }
        return terminated
    }

    /// The sessions of the test itself were terminated as well.
    private func retrying<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch {
            return try await body()
        }
    }
}
