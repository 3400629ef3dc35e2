import Postgres
import TestKit
import Testing
import Workers

/// When a worker is considered dead: by the time in which a reaper could write to PostgreSQL.
@Suite struct LivenessClockTests {
    private func seconds(_ fixture: Fixture) async throws -> Double {
        try await fixture.sql("SELECT liveness_seconds FROM reaper_heartbeat").decodeOnly()
    }

    /// The last record of a reaper, and the last heartbeats of workers, are `seconds` old.
    private func wait(_ fixture: Fixture, seconds: Double) async throws {
        var parameters = Parameters()
        parameters.append(seconds)
        try await fixture.sql("UPDATE reaper_heartbeat SET at = at - make_interval(secs => $1)", parameters)
        try await fixture.sql(
            """
            UPDATE worker SET heartbeat_at = heartbeat_at - make_interval(secs => $1),
                              expires_at = expires_at - make_interval(secs => $1)
            """, parameters)
    }

    private func deadWorkers(_ fixture: Fixture) async throws -> [Int64] {
        try await fixture.workers.deregisterDead(atMost: 10).map(\.id)
    }

    @Test func `a worker is dead when its heartbeats are missing for 30 s of a working reaper`() async throws {
        try await Fixture.use { fixture in
            let silent = try await fixture.joinWorker("silent")
            let live = try await fixture.joinWorker("live")
            for seconds in [15, 14, 2] {
                #expect(try await deadWorkers(fixture).isEmpty)
                try await fixture.sql("UPDATE reaper_heartbeat SET liveness_seconds = liveness_seconds + \(seconds)")
                #expect(try await fixture.workers.heartbeat(id: live, running: 0, counters: Array("{}".utf8)))
            }
            #expect(try await deadWorkers(fixture) == [silent])
        }
    }

    @Test func `an outage of two minutes makes no worker dead, and counts as 3 s`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.joinWorker("w")
            try await fixture.workers.recordReaperHeartbeat()
            let before = try await seconds(fixture)
            try await wait(fixture, seconds: 120)
            try await fixture.workers.recordReaperHeartbeat()
            let after = try await seconds(fixture)
            #expect(after == before + 3)
            #expect(try await deadWorkers(fixture).isEmpty)
        }
    }

    @Test func `reapers advance the clock together, and a step back of the time of day stops it`() async throws {
        try await Fixture.use { fixture in
            try await fixture.workers.recordReaperHeartbeat()
            let before = try await seconds(fixture)
            try await wait(fixture, seconds: 2)
            for _ in 0..<5 { try await fixture.workers.recordReaperHeartbeat() }
            let after = try await seconds(fixture)
            #expect(after >= before + 2 && after < before + 3)
            try await wait(fixture, seconds: -3_600)
            try await fixture.workers.recordReaperHeartbeat()
            let last = try await seconds(fixture)
            #expect(last == after)
        }
    }
}
