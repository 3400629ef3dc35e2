public import Pauses

extension Fixture {
    /// Pauses or resumes a scope.
    @discardableResult
    public func setPause(
        _ scope: PauseScope, _ isPause: Bool, expecting version: Int64? = nil
    ) async throws -> PauseAnswer {
        var change = PauseChange(isPause ? .pause : .resume, scope, reason: "because", updatedBy: "somebody")
        change.expectedVersion = version
        change.clientAddress = "192.0.2.1"
        return try await pauses.change(change)
    }

    /// What is wrong with the history of pausing and resuming. Empty unless the test has altered it.
    public func historyFaults() async throws -> [HistoryFault] {
        var check = HistoryCheck()
        for entry in try await pauses.history(limit: 1_000).reversed() { check.add(entry) }
        check.end(newestVersion: try await pauses.latest().version)
        return check.faults
    }

    /// Takes away what keeps the history append-only, as an intruder with the owner's rights could.
    public func permitHistoryChanges() async throws {
        try await sql("ALTER TABLE pause_history DISABLE TRIGGER append_only")
    }
}
