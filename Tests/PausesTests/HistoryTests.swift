import Pauses
import Postgres
import TestKit
import Testing

@Suite struct HistoryTests {
    @Test func `the history is append-only`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.setPause(.all, true)
            for sql in [
                "UPDATE pause_history SET reason = 'x'", "DELETE FROM pause_history", "TRUNCATE pause_history",
            ] {
                await #expect(throws: PostgresError.self) { try await fixture.sql(sql) }
            }
        }
    }

    @Test(arguments: [
        ("reason = 'becauze'", 2), ("updated_by = ''", 2), ("scope = 'alL'", 2), ("paused = NOT paused", 2),
        ("at = at + interval '1 microsecond'", 2), ("resume_at = at", 2), ("cancel_running = true", 2),
        ("client_address = NULL", 2), ("request_id = 'x'", 2), ("hash = set_byte(hash, 7, get_byte(hash, 7) # 1)", 2),
        ("previous_hash = set_byte(previous_hash, 31, get_byte(previous_hash, 31) # 128)", 2),
    ])
    func `an altered row is found`(change: String, version: Int64) async throws {
        try await Fixture.use { fixture in
            for number in 0..<4 { _ = try await fixture.setPause(.all, number % 2 == 0) }
            #expect(try await fixture.historyFaults() == [])
            try await fixture.permitHistoryChanges()
            try await fixture.sql("UPDATE pause_history SET \(change) WHERE version = \(version)")
            #expect(try await fixture.historyFaults().first?.version == version)
        }
    }

    @Test(arguments: [(1, 2), (2, 3), (4, 4)] as [(Int64, Int64)])
    func `a missing row is found`(version: Int64, named: Int64) async throws {
        try await Fixture.use { fixture in
            for number in 0..<4 { _ = try await fixture.setPause(.all, number % 2 == 0) }
            try await fixture.permitHistoryChanges()
            try await fixture.sql("DELETE FROM pause_history WHERE version = \(version)")
            #expect(try await fixture.historyFaults().first?.version == named)
        }
    }
}
