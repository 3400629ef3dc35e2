import EventLoop
import Postgres
import Synchronization
import TestKit
import Testing
import Values
import Workers

@testable import Pauses

@Suite struct AcknowledgementTests {
    /// Live workers, and a waiter that counts its reads.
    private struct Waiters: Sendable {
        let fixture: Fixture
        let workers: [Int64]
        let waiter: AcknowledgementWaiter
        let reads: Counter

        /// The process that listens; nil: none does.
        func listener() async throws -> Int32? {
            try await fixture.sql(
                """
                SELECT pid FROM pg_stat_activity
                WHERE application_name LIKE '% listening' AND datname = current_database() AND state = 'idle'
                    AND query LIKE 'LISTEN%'
                """
            ).decodeFirst(as: Int32.self)
        }

        func acknowledge(_ worker: Int64, _ version: Int64) async throws {
            try await fixture.workers.acknowledge(id: worker, pauseVersion: version, running: 0)
        }

        /// Starts a call, and returns when it waits and is notified.
        func startWaiting(for version: Int64) async throws -> Task<Void, Never> {
            let call = Task { await waiter.wait(for: version, until: .now() + .seconds(60)) }
            try await waitUntil("the waiter listens") { try await listener() != nil }
            return call
        }
    }

    private final class Counter: Sendable {
        private let value = Atomic(0)
        var count: Int { value.load(ordering: .relaxed) }
        func increment() { value.add(1, ordering: .relaxed) }
    }

    private static func use(
        workers count: Int, fallbackInterval: Duration, _ body: @Sendable (Waiters) async throws -> Void
    ) async throws {
        try await Fixture.use { fixture in
            var workers: [Int64] = []
            for number in 0..<count { workers.append(try await fixture.joinWorker("worker \(number)")) }
            var options = AcknowledgementWaiter.Options()
            options.fallbackInterval = fallbackInterval
            let reads = Counter()
            let waiter = AcknowledgementWaiter(fixture.database.settings, on: TestLoop.shared, options: options) {
                () throws(PostgresError) in
                reads.increment()
                return try await fixture.workers.lowestAcknowledgedVersion()
            }
            try await body(Waiters(fixture: fixture, workers: workers, waiter: waiter, reads: reads))
        }
    }

    @Test func `without live workers nothing is waited for, and nothing listens`() async throws {
        try await Self.use(workers: 0, fallbackInterval: .seconds(3_600)) { waiters in
            await waiters.waiter.wait(for: 1, until: .now() + .seconds(3_600))
            #expect(waiters.reads.count == 1)
            let listener = try await waiters.listener()
            #expect(listener == nil)
        }
    }

    @Test func `a call returns after the last acknowledgement, by its notification alone`() async throws {
        try await Self.use(workers: 3, fallbackInterval: .seconds(3_600)) { waiters in
            let call = try await waiters.startWaiting(for: 5)
            for worker in waiters.workers { try await waiters.acknowledge(worker, 5) }
            await call.value
            // The first one, one when it listened, and at most one for each notification.
            #expect((2...5).contains(waiters.reads.count), "\(waiters.reads.count) reads")
            try await waitUntil("the connection is closed") { try await waiters.listener() == nil }
        }
    }

    @Test func `many calls share one connection and the reads, and each ends with its version`() async throws {
        try await Self.use(workers: 1, fallbackInterval: .seconds(3_600)) { waiters in
            var calls = [try await waiters.startWaiting(for: 1)]
            for _ in 0..<49 { calls.append(Task { await waiters.waiter.wait(for: 1, until: .now() + .seconds(60)) }) }
            let later = try await waiters.startWaiting(for: 2)
            let listening = try await waiters.fixture.sql(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE application_name LIKE '% listening' AND datname = current_database()
                """
            ).decodeOnly(as: Int64.self)
            #expect(listening == 1)
            try await waiters.acknowledge(waiters.workers[0], 1)
            for call in calls { await call.value }
            #expect(waiters.reads.count < 20, "\(waiters.reads.count) reads")
            try await waiters.acknowledge(waiters.workers[0], 2)
            await later.value
        }
    }

    @Test func `a burst of notifications costs few reads`() async throws {
        try await Self.use(workers: 1, fallbackInterval: .seconds(3_600)) { waiters in
            let call = try await waiters.startWaiting(for: 1)
            let before = waiters.reads.count
            try await waiters.fixture.sql(
                "SELECT pg_notify(current_schema() || '_pause_ack', n::text) FROM generate_series(1, 1000) n")
            try await waiters.acknowledge(waiters.workers[0], 1)
            await call.value
            #expect(waiters.reads.count - before < 10, "\(waiters.reads.count) reads")
        }
    }

    @Test func `a call returns although notifications are lost`() async throws {
        try await Self.use(workers: 1, fallbackInterval: .milliseconds(100)) { waiters in
            let call = try await waiters.startWaiting(for: 1)
            // The acknowledgement of a worker that dies before it notifies.
            try await waiters.fixture.sql("UPDATE worker SET pause_version = 1")
            await call.value
        }
    }

    @Test func `a cut connection is replaced, and what was notified meanwhile is read`() async throws {
        try await Self.use(workers: 1, fallbackInterval: .seconds(3_600)) { waiters in
            let call = try await waiters.startWaiting(for: 1)
            let process = try #require(try await waiters.listener())
            try await waiters.fixture.sql("SELECT pg_terminate_backend(\(process), 5000)")
            try await waiters.acknowledge(waiters.workers[0], 1)
            await call.value
        }
    }

    @Test func `a call ends at its deadline`() async throws {
        try await Self.use(workers: 1, fallbackInterval: .seconds(3_600)) { waiters in
            let other = try await waiters.startWaiting(for: 1)
            await waiters.waiter.wait(for: 1, until: .now() + .milliseconds(50))
            try await waiters.acknowledge(waiters.workers[0], 1)
            await other.value
        }
    }

    @Test func `an acknowledgement is notified once, and only if it is new`() async throws {
        try await Self.use(workers: 1, fallbackInterval: .seconds(3_600)) { waiters in
            let found = Mutex<[String]>([])
            let isListening = Atomic(false)
            let channel = WorkerRegistry.acknowledgementChannel(schema: waiters.fixture.database.settings.schema)
            let listener = NotificationListener(
                waiters.fixture.database.settings, channels: [channel], on: TestLoop.shared
            ) {
                switch $0 {
                case .listening: isListening.store(true, ordering: .relaxed)
                case .notification(let notification): found.withLock { $0.append(notification.payload) }
                case .interrupted: break
                }
            }
            TestLoop.shared.execute { listener.start() }
            try await waitUntil("it listens") { isListening.load(ordering: .relaxed) }
            for version: Int64 in [3, 3, 2, 4] { try await waiters.acknowledge(waiters.workers[0], version) }
            try await waitUntil("two notifications") { found.withLock { $0.count } >= 2 }
            #expect(found.withLock { $0 } == ["3", "4"])
            TestLoop.shared.execute { listener.close() }
        }
    }
}
