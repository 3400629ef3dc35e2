import EventLoop
import Jobs
import Pauses
import Postgres
import TestKit
import Testing
import Values

@Suite struct PauseTests {
    @Test func `a pause holds back its scope and nothing else, until it is resumed`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(2)
            try await fixture.enqueue(2) { $0.queue = "other" }
            try await fixture.enqueue(2) { $0.type = "rare" }
            try await fixture.enqueue(2) { $0.concurrencyKey = "key" }

            _ = try await fixture.setPause(.type("rare"), true)
            _ = try await fixture.setPause(.queue("default"), true)
            #expect(try await fixture.lease(10).map(\.queue) == ["other", "other"])
            _ = try await fixture.setPause(.all, true)
            _ = try await fixture.setPause(.queue("default"), false)
            #expect(try await fixture.lease(10).isEmpty)
            _ = try await fixture.setPause(.all, false)
            #expect(try await fixture.lease(10).map(\.type) == ["work", "work", "work", "work"])
            _ = try await fixture.setPause(.type("rare"), false)
            #expect(try await fixture.lease(10).map(\.type) == ["rare", "rare"])
        }
    }

    @Test func `the reasons for a wait name the pauses, and undoing these is enough`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1)
            let id: UUID = try await fixture.sql("SELECT id FROM job").decodeOnly()
            func codes() async throws -> [String] { try await fixture.jobs.why(id)?.reasons.map(\.code) ?? [] }
            #expect(try await codes() == ["no_worker_for_queue"])
            _ = try await fixture.setPause(.all, true)
            _ = try await fixture.setPause(.type("work"), true)
            _ = try await fixture.setPause(.type("other"), true)
            #expect(try await codes() == ["paused", "paused", "no_worker_for_queue"])
            let detail = try await fixture.jobs.why(id)?.reasons.first?.detail ?? ""
            #expect(
                detail.contains("all has been paused by somebody since ") && detail.contains("(version 1): because"))
            _ = try await fixture.setPause(.all, false)
            _ = try await fixture.setPause(.type("work"), false)
            #expect(try await codes() == ["no_worker_for_queue"])
            #expect(try await fixture.lease(1).map(\.id) == [id])
        }
    }

    @Test func `a scope can be paused before it has a job`() async throws {
        try await Fixture.use { fixture in
            _ = try await fixture.setPause(.queue("new"), true)
            _ = try await fixture.setPause(.type("new"), true)
            try await fixture.enqueue(1) { $0.queue = "new" }
            try await fixture.enqueue(1) { $0.type = "new" }
            #expect(try await fixture.lease(10).isEmpty)
        }
    }

    @Test func `versions grow by one over all scopes, and an outdated change is refused`() async throws {
        try await Fixture.use { fixture in
            guard case .changed(let first) = try await fixture.setPause(.all, true, expecting: 0) else {
                Issue.record("not changed")
                return
            }
            #expect(first.version == 1 && first.isPaused && first.reason == "because")
            guard case .outdated(let state) = try await fixture.setPause(.all, false, expecting: 0) else {
                Issue.record("not refused")
                return
            }
            #expect(state == first)
            guard case .outdated(let unchanged) = try await fixture.setPause(.queue("q"), true, expecting: 5) else {
                Issue.record("not refused")
                return
            }
            #expect(unchanged == PauseState(unchanged: .queue("q")))
            guard case .changed(let second) = try await fixture.setPause(.queue("q"), true, expecting: 0) else {
                Issue.record("not changed")
                return
            }
            #expect(second.version == 2)
            let latest = try await fixture.pauses.latest()
            #expect(latest.version == 2 && latest.allIsPaused)
            #expect(try await fixture.pauses.states().map(\.scope) == [.all, .queue("q")])
            #expect(try await fixture.historyFaults() == [])
        }
    }

    @Test func `concurrent changes lose no version`() async throws {
        try await Fixture.use { fixture in
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<40 {
                    group.addTask {
                        do {
                            _ = try await fixture.setPause(number % 2 == 0 ? .all : .queue("q"), number % 3 == 0)
                        } catch {
                            Issue.record(error)
                        }
                    }
                }
            }
            let history = try await fixture.pauses.history(limit: 100)
            #expect(history.map(\.version) == (1...40).reversed())
            #expect(try await fixture.historyFaults() == [])
        }
    }

    @Test func `no lease commits after a pause has`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(20)
            #expect(try await fixture.lease(1).count == 1)
            let late = try await fixture.general.transaction { transaction in
                _ = try await transaction.execute(
                    sql: "SELECT change_pause_state('all', true, 'r', 'u', NULL, NULL, false, NULL, NULL)")
                let late = Task(executorPreference: TestLoop.shared) { try await fixture.lease(10) }
                try await fixture.waitUntilBlocked(inStatementWith: "lease_gate")
                return late
            }
            #expect(try await late.value.isEmpty)
        }
    }

    @Test func `a pause with an end holds until then, and its end is recorded once`() async throws {
        try await Fixture.use { fixture in
            try await fixture.enqueue(1)
            var change = PauseChange(.pause, .all, reason: "r", updatedBy: "u")
            change.resumeAt = .latest
            _ = try await fixture.pauses.change(change)
            #expect(try await fixture.lease(1).isEmpty)
            #expect(try await fixture.pauses.resumeDue().isEmpty)
            try await fixture.endPauses()
            #expect(try await fixture.pauses.states()[0].isPaused == false)
            #expect(try await fixture.lease(1).count == 1)
            #expect(try await fixture.pauses.resumeDue() == [.all])
            #expect(try await fixture.pauses.resumeDue().isEmpty)
            #expect(try await fixture.pauses.history(limit: 10).map(\.isPause) == [false, true])
        }
    }
}
