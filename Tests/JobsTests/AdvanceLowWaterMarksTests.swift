import EventLoop
import Jobs
import Postgres
import Telemetry
import TestKit
import Testing
import Values

@Suite struct AdvanceLowWaterMarksTests {
    private func mark(_ fixture: Fixture) async throws -> Int64 {
        try await fixture.number("SELECT max(seq) FROM low_water_mark")
    }

    /// Two ticks, with everything that was drawn before the first proven.
    /// - Returns: how many marks have moved.
    private func raise(_ fixture: Fixture) async throws -> Int {
        let ids: [Int32] = try await fixture.sql("SELECT id FROM subqueue ORDER BY id").decode()
        let sequence = try await fixture.jobs.advanceLowWaterMarks(of: ids, upTo: nil).sequence
        return try await fixture.jobs.advanceLowWaterMarks(of: ids, upTo: sequence).moved
    }

    @Test func `a mark advances to the first ready job, and every job is leased`() async throws {
        try await Fixture.use { fixture in
            let ids = try await fixture.enqueue(1_500)
            var leased = try await fixture.leaseExpired(1_000).map(\.id)
            #expect(try await raise(fixture) == 1)
            #expect(try await mark(fixture) == fixture.number("SELECT min(seq) FROM ready"))
            leased += try await fixture.leaseExpired(500).map(\.id)
            #expect(Set(leased) == Set(ids))
        }
    }

    @Test func `a mark that would not advance is not written`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(600)
            _ = try await fixture.leaseExpired(400)
            #expect(try await raise(fixture) == 1)
            #expect(try await raise(fixture) == 0)
        }
    }

    @Test func `only the marks of the given subqueues advance`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(10) { $0.queue = "a" }
            try await fixture.enqueue(10) { $0.queue = "b" }
            _ = try await fixture.leaseExpired(20)
            let subqueue = Int32(try await fixture.number("SELECT min(id)::bigint FROM subqueue"))
            let sequence = try await fixture.jobs.advanceLowWaterMarks(of: [], upTo: nil).sequence
            #expect(try await fixture.jobs.advanceLowWaterMarks(of: [subqueue], upTo: sequence).moved == 1)
            #expect(try await fixture.number("SELECT count(*) FROM low_water_mark") == 1)
        }
    }

    @Test func `a mark never advances beyond the sequence of the previous tick`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1_000)
            _ = try await fixture.leaseExpired(1_000)
            let proven = try await fixture.jobs.advanceLowWaterMarks(of: [], upTo: nil).sequence
            try await fixture.enqueue(1_000)
            _ = try await fixture.leaseExpired(1_000)
            _ = try await fixture.jobs.advanceLowWaterMarks(of: [1], upTo: proven)
            #expect(try await mark(fixture) == proven)
        }
    }

    /// A transaction that has drawn its numbers long ago commits behind the mark: its jobs are found by the sweep.
    @Test func `jobs that commit below a mark are hidden until the sweep, and then leased`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1)
            _ = try await fixture.leaseExpired(1)
            let late = try await fixture.general.transaction { transaction in
                let id: UUID = try await transaction.execute(
                    sql:
                        """
                        WITH made AS (
                            INSERT INTO job (id, created_at, subqueue_id, payload)
                            SELECT gen_random_uuid(), clock_timestamp(), id, 'null' FROM subqueue
                            RETURNING id, subqueue_id),
                        counted AS (
                            INSERT INTO transition_delta (subqueue_id, transition, n)
                            SELECT subqueue_id, 'enqueued', 1 FROM made)
                        INSERT INTO ready (id, ready_at, subqueue_id, attempt, priority)
                        SELECT id, clock_timestamp(), subqueue_id, 0, 0 FROM made RETURNING id
                        """
                ).decodeOnly()
                try await fixture.enqueue(1_000)
                _ = try await fixture.leaseExpired(1_000)
                #expect(try await raise(fixture) == 1)
                return id
            }
            #expect(try await fixture.lease(10, seconds: 60).isEmpty)

            #expect(try await raise(fixture) == 0)
            #expect(try await fixture.jobs.sweepLowWaterMarks() == 1)
            #expect(try await fixture.lease(10, seconds: 60).map(\.id) == [late])
            #expect(try await fixture.countMismatches() == 0)
        }
    }

    @Test func `a mark that rests is removed when nothing dead is below it, and no job is missed`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1_500)
            _ = try await fixture.leaseExpired(1_000)
            #expect(try await raise(fixture) == 1)
            #expect(try await fixture.jobs.removeIdleMark(restingFor: .seconds(60)) == false)
            try await fixture.sql("VACUUM ready")
            // It may be slow by chance, and is then kept for later.
            for _ in 0..<20 where try await fixture.number("SELECT count(*) FROM low_water_mark") > 0 {
                try await fixture.sql("UPDATE low_water_mark SET advanced_at = advanced_at - interval '61 s'")
                #expect(try await fixture.jobs.removeIdleMark(restingFor: .seconds(60)))
            }
            #expect(try await fixture.number("SELECT count(*) FROM low_water_mark") == 0)
            #expect(try await fixture.leaseExpired(500).count == 500)
        }
    }

    @Test func `jobs that return to the queue stand above every mark`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1_000) { $0.backoff = .none }
            _ = try await fixture.leaseExpired(1_000)
            _ = try await raise(fixture)
            #expect(try await fixture.jobs.reclaimExpired(atMost: 1_000).leases.count == 1_000)
            #expect(try await fixture.jobs.promoteDue(atMost: 1_000, from: .earliest).count == 1_000)
            #expect(try await fixture.leaseExpired(1_000).count == 1_000)
        }
    }
}

@Suite struct LowWaterMarkCadenceTests {
    private func instant(_ milliseconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: (1_000 + milliseconds) * 1_000_000)
    }

    @Test func `the sequence that a tick reads is the bound of the next`() {
        var cadence = LowWaterMarkCadence()
        #expect(cadence.provenSequence == nil)
        cadence.ticked(sequence: 7)
        #expect(cadence.provenSequence == 7)
        cadence.ticked(sequence: 9)
        #expect(cadence.provenSequence == 9)
    }

    @Test func `a sweep is due at once, and then every five seconds`() {
        var cadence = LowWaterMarkCadence()
        var sweeps: [Int64] = []
        for tick in 0..<50 {
            let now = instant(Int64(tick) * 250)
            guard cadence.isSweepDue(at: now) else { continue }
            sweeps.append(Int64(tick) * 250)
            cadence.swept(from: now, to: now)
        }
        #expect(sweeps == [0, 5_000, 10_000])
    }

    @Test func `a slow sweep takes at most a fiftieth of the time`() {
        var cadence = LowWaterMarkCadence()
        cadence.swept(from: instant(0), to: instant(400))
        #expect(!cadence.isSweepDue(at: instant(20_399)))
        #expect(cadence.isSweepDue(at: instant(20_400)))
    }
}

@Suite struct SubqueueActivityTests {
    @Test func `a subqueue is active after more than 250 of its jobs were leased`() {
        var activity = SubqueueActivity()
        activity.add([3: 200, 1: 250, 2: 251])
        #expect(activity.takeActive() == [2])
        activity.add([3: 51, 1: 1, 2: 250])
        #expect(activity.takeActive() == [1, 3])
        activity.add([2: 1])
        #expect(activity.takeActive() == [2])
        #expect(activity.takeActive().isEmpty)
    }
}
