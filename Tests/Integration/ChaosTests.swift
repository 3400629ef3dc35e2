import TestKit
import Testing

/// Kills, suspends and disconnects processes at seeded instants while jobs are posted and run. Afterwards no job may be
/// lost or done twice. `make chaos` repeats this with many seeds.
///
/// The seed determines the faults with their instants, and the jobs that fail. It does not determine how the processes
/// interleave, so a seed repeats the course of a run, and not each of its instants.
@Suite(.serialized) struct ChaosTests {
    /// Shared by the runs, each of which has a database of its own.
    private static let server = Result { try PostgresServer(isDurable: true) }

    @Test(.timeLimit(.minutes(5)), arguments: TestSeeds.take(2))
    func `every acknowledged job ends once, whatever process is killed`(seed: UInt64) async throws {
        let server = try Self.server.get()
        let history = ChaosHistory(seed: seed)
        do {
            let violations = try await ChaosRun(seed: seed, on: server, history: history).run()
            #expect(violations.isEmpty, "\(history)\n\(violations.joined(separator: "\n"))")
        } catch {
            Issue.record(error, "\(history)")
        }
    }

    @Test func `the same seed gives the same faults, and every kind of them`() {
        let plan = ChaosPlan(seed: 7)
        #expect(plan.events == ChaosPlan(seed: 7).events)
        #expect(plan.events != ChaosPlan(seed: 8).events)
        let kinds = Set(plan.events.map { "\($0.action)".prefix { $0 != "(" } })
        #expect(
            kinds == [
                "kill", "start", "freeze", "thaw", "endSessions", "expireLeases", "stopDatabase", "startDatabase",
            ])
        let killed = Set(
            plan.events.compactMap { event -> ChaosRole.Kind? in
                if case .kill(let role) = event.action { role.kind } else { nil }
            })
        #expect(killed == [.api, .worker, .reaper])
    }
}
