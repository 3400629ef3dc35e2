import EventLoop
import Jobs
import Postgres
import Telemetry
import TestKit
import Testing

@Suite struct RaiseMarksTests {
    private func mark(_ jobs: JobsDatabase) async throws -> Int64 {
        try await jobs.number("SELECT max(low) FROM band")
    }

    /// Two ticks, with everything that was drawn before the first proven.
    private func raise(_ jobs: JobsDatabase, fromZero: Bool = false) async throws -> MarkReport {
        let sequence = try await jobs.store.raiseMarks(upTo: nil, fromZero: false).sequence
        return try await jobs.store.raiseMarks(upTo: sequence, fromZero: fromZero)
    }

    @Test func `a mark rises to the first ready job, and every job is leased`() async throws {
        try await JobsDatabase.use { jobs in
            let ids = try await jobs.enqueue(1_500)
            var leased = try await jobs.leaseExpired(1_000).map(\.id)
            #expect(try await raise(jobs).moved == 1)
            #expect(try await mark(jobs) == jobs.number("SELECT min(seq) FROM ready"))
            leased += try await jobs.leaseExpired(500).map(\.id)
            #expect(Set(leased) == Set(ids))
        }
    }

    @Test func `a mark that would gain little is left where it is`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.enqueue(600)
            _ = try await jobs.leaseExpired(400)
            #expect(try await raise(jobs).moved == 0)
            #expect(try await mark(jobs) == 0)
        }
    }

    @Test func `a mark never rises above what the tick before has proven`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.enqueue(1_000)
            _ = try await jobs.leaseExpired(1_000)
            let proven = try await jobs.store.raiseMarks(upTo: nil, fromZero: false).sequence
            try await jobs.enqueue(1_000)
            _ = try await jobs.leaseExpired(1_000)
            _ = try await jobs.store.raiseMarks(upTo: proven, fromZero: false)
            #expect(try await mark(jobs) == proven)
        }
    }

    /// A transaction that has drawn its numbers long ago commits behind the mark: its jobs are found by the sweep.
    @Test func `jobs that commit behind a mark are hidden until the sweep, and then leased`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.enqueue(1)
            _ = try await jobs.leaseExpired(1)
            let late = try await jobs.general.transaction { transaction in
                let row = try await transaction.execute(
                    sql:
                        """
                        WITH made AS (
                            INSERT INTO job (id, created_at, band_id, payload)
                            SELECT gen_random_uuid(), clock_timestamp(), id, 'null' FROM band RETURNING id, band_id),
                        counted AS (INSERT INTO tally (band_id, step, n) SELECT band_id, 'enqueued', 1 FROM made)
                        INSERT INTO ready (id, ready_at, band_id, attempt)
                        SELECT id, clock_timestamp(), band_id, 0 FROM made RETURNING id
                        """
                ).onlyRow()
                try await jobs.enqueue(1_000)
                _ = try await jobs.leaseExpired(1_000)
                #expect(try await raise(jobs).moved == 1)
                return try row.uuid(0)
            }
            #expect(try await jobs.lease(10, seconds: 60).isEmpty)

            #expect(try await raise(jobs).moved == 0)
            #expect(try await raise(jobs, fromZero: true).moved == 1)
            #expect(try await jobs.lease(10, seconds: 60).map(\.id) == [late])
            #expect(try await jobs.countMismatches() == 0)
        }
    }

    @Test func `jobs that come back stand above every mark`() async throws {
        try await JobsDatabase.use { jobs in
            try await jobs.enqueue(1_000) { $0.backoff = .none }
            _ = try await jobs.leaseExpired(1_000)
            _ = try await raise(jobs)
            #expect(try await jobs.store.reclaimExpired(atMost: 1_000).leases.count == 1_000)
            #expect(try await jobs.store.promoteDue(atMost: 1_000, from: .earliest).count == 1_000)
            #expect(try await jobs.leaseExpired(1_000).count == 1_000)
        }
    }
}

@Suite struct MarkCadenceTests {
    private func instant(_ milliseconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: (1_000 + milliseconds) * 1_000_000)
    }

    @Test func `the first tick only reads the sequence`() {
        var cadence = MarkCadence()
        #expect(cadence.provenSequence == nil)
        cadence.ticked(at: instant(0), sequence: 7, swept: true)
        #expect(cadence.provenSequence == 7)
        cadence.ticked(at: instant(250), sequence: 9, swept: false)
        #expect(cadence.provenSequence == 9)
    }

    @Test func `a sweep is due every five seconds, whatever came in between`() {
        var cadence = MarkCadence()
        var sweeps: [Int64] = []
        for tick in 0..<50 {
            let now = instant(Int64(tick) * 250)
            let isSweep = cadence.isSweepDue(at: now)
            if isSweep { sweeps.append(Int64(tick) * 250) }
            cadence.ticked(at: now, sequence: 1, swept: isSweep)
        }
        #expect(sweeps == [0, 5_000, 10_000])
        #expect(cadence.isSweepDue(at: instant(60_000)))
    }
}
