import EventLoop
import Jobs
import Postgres
import Synchronization
import Telemetry
import TestKit
import Testing
import Values

@Suite struct PromoteJobsTests {
    /// Jobs that are due now, the first made being due last.
    private func dueBackwards(_ count: Int, _ fixture: Fixture) async throws -> [UUID] {
        let ids = try await fixture.enqueue(count) { $0.runAt = .now() + .seconds(3_600) }
        try await fixture.sql(
            """
            UPDATE scheduled s SET run_at = clock_timestamp() - o.n * interval '1 second'
            FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM scheduled) o WHERE s.id = o.id
            """)
        return ids.reversed()
    }

    @Test func `jobs are promoted in the order of run_at, up to the limit`() async throws {
        try await Fixture.use { fixture in
            let ids = try await dueBackwards(25, fixture)
            var leased: [UUID] = []
            var counts: [Int] = []
            for _ in 0..<4 {
                counts.append(try await fixture.jobs.promoteDue(atMost: 10, from: .earliest).count)
                // One at a time, since a batch comes in no promised order.
                while let job = try await fixture.lease(1, seconds: 60).first { leased.append(job.id) }
            }
            #expect(counts == [10, 10, 5, 0])
            #expect(leased == ids)
            #expect(try await fixture.transitions()["promoted"] == 25)
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `jobs are leased in the order of run_at, also when all are promoted at once`() async throws {
        try await Fixture.use { fixture in
            let ids = try await dueBackwards(25, fixture)
            #expect(try await fixture.jobs.promoteDue(atMost: 1_000, from: .earliest).count == 25)
            var leased: [UUID] = []
            while let job = try await fixture.lease(1, seconds: 60).first { leased.append(job.id) }
            #expect(leased == ids)
        }
    }

    @Test func `a job that is not due stays, and the next due time is returned`() async throws {
        try await Fixture.use { fixture in
            let id = try await fixture.enqueue(1) { $0.runAt = .now() + .seconds(60) }[0]
            let batch = try await fixture.jobs.promoteDue(atMost: 10, from: .earliest)
            #expect(batch.count == 0)
            let pause = try #require(batch.nextDue) - batch.moment
            #expect(pause > .seconds(30) && pause <= .seconds(60))
            #expect(try await fixture.status(of: id) == .scheduled)
        }
    }

    @Test func `three concurrent promoters take each job once`() async throws {
        try await Fixture.use { fixture in
            let count = 1_000
            _ = try await dueBackwards(count, fixture)
            let promoted = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        try await fixture.withOther { reaper in
                            var promoted = 0
                            while case let batch = try await reaper.jobs.promoteDue(atMost: 20, from: .earliest),
                                batch.count > 0
                            {
                                promoted += batch.count
                            }
                            return promoted
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            let rest = try await fixture.jobs.promoteDue(atMost: 1_000, from: .earliest).count
            #expect(promoted + rest == count)
            #expect(try await fixture.count("ready") == Int64(count))
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    /// The floor is a hint: it hides what became visible late, and a sweep finds it.
    @Test func `a job before the scan cursor is found by the sweep`() async throws {
        try await Fixture.use { fixture in
            var floor = ScanCursor()
            for _ in 0..<3 {
                floor.drained(at: try await fixture.jobs.promoteDue(atMost: 10, from: floor.lowerBound).moment)
            }
            #expect(floor.lowerBound > .earliest)
            try await fixture.enqueue(1) { $0.runAt = .now() + .seconds(3_600) }
            try await fixture.makeDue(secondsAgo: 3_600)
            #expect(try await fixture.jobs.promoteDue(atMost: 10, from: floor.lowerBound).count == 0)

            var scans = 0
            while try await fixture.count("ready") == 0, scans < ScanCursor.sweepEvery {
                let batch = try await fixture.jobs.promoteDue(atMost: 10, from: floor.lowerBound)
                floor.drained(at: batch.moment)
                scans += 1
            }
            #expect(try await fixture.count("ready") == 1)
        }
    }

    @Test func `waiting workers are notified of the queues with ready jobs`() async throws {
        try await Fixture.use { fixture in
            let notifying = ConnectionPool(
                fixture.database.settings, profile: .notifying, options: ConnectionPool.Options(size: 1),
                on: TestLoop.shared)
            defer { notifying.close() }
            let log = Logger(component: "test", level: .error, sink: CollectedLog())
            let heard = Heard()
            let listener = NotificationListener(
                fixture.database.settings, channels: [ReadyNotifier.channel(schema: "jobqueue")], on: TestLoop.shared
            ) { heard.take($0) }
            listener.start()
            defer { listener.close() }
            await heard.until { $0 == .listening }

            try await fixture.sql(
                """
                INSERT INTO worker (incarnation, name, host, version, concurrency, started_at, heartbeat_at, expires_at,
                                    waiting)
                SELECT gen_random_uuid(), 'w', 'h', '0', 1, at, at, at + interval '1 minute', true
                FROM (SELECT clock_timestamp() AS at) m
                """)
            try await fixture.enqueue(3) { job in
                job.queue = "late"
                job.runAt = .now() + .seconds(3_600)
            }
            try await fixture.makeDue()
            let notifier = ReadyNotifier(pool: notifying, schema: "jobqueue", logger: log)
            try await fixture.withOther(notifier: notifier) { reaper in
                let promoted = try await reaper.jobs.promoteDue(atMost: 10, from: .earliest).count
                #expect(promoted == 3)
            }
            let isHeard = await heard.until { event in
                guard case .notification(let notification) = event else { return false }
                return notification.payload == "late"
            }
            #expect(isHeard)
        }
    }
}

/// The events of a listener, for a task that waits for one of them.
private final class Heard: Sendable {
    private let events = Mutex<[NotificationListener.Event]>([])
    private let wakeSignal = WakeSignal(on: TestLoop.shared)

    func take(_ event: NotificationListener.Event) {
        events.withLock { $0.append(event) }
        wakeSignal.wake()
    }

    /// False when no such event has come within five seconds.
    @discardableResult
    func until(_ isMeant: (NotificationListener.Event) -> Bool) async -> Bool {
        let deadline = MonotonicInstant.now() + .seconds(5)
        while !events.withLock({ $0.contains(where: isMeant) }) {
            guard await wakeSignal.wait(until: deadline) else { return false }
        }
        return true
    }
}
