public import Postgres
public import Values

/// The result of a change.
public enum PauseAnswer: Hashable, Sendable {
    /// The new state of the scope.
    case changed(PauseState)
    /// Nothing was changed: the scope has this state, whose version is not the expected one.
    case outdated(PauseState)
    /// Nothing was changed: the pause would have ended already.
    case overdue
}

extension PauseStore {
    /// The function (`0010_pauses.sql`) changes the state under a lock that excludes every lease.
    private static let change = Statement<PauseChange>(
        "change_pause_state",
        """
        SELECT a.changed, \(sql: PauseState.columns)
        FROM (SELECT changed, (state).* FROM change_pause_state($1, $2, $3, $4, $5, $6, $7, $8, $9)) a
        CROSS JOIN LATERAL (SELECT a.scope, a.version, a.paused, a.reason, a.updated_by, a.updated_at, a.resume_at) c
        """)

    /// Returns when the change is committed. From then on no lease of a paused scope commits.
    public func change(_ change: PauseChange) async throws(PostgresError) -> PauseAnswer {
        let (isChanged, found) = try await pool.execute(Self.change(change)).decodeOnly((Bool?, PauseState?).self)
        guard let isChanged else { return .overdue }
        let state = found ?? PauseState(unchanged: change.scope)
        return isChanged ? .changed(state) : .outdated(state)
    }

    private static let resume = Statement("end_due_pauses", "SELECT end_due_pauses()")

    /// Records the end of pauses whose `resume_at` has passed. Concurrent callers record each end once.
    /// - Returns: the scopes of these pauses.
    public func resumeDue() async throws(PostgresError) -> [PauseScope] {
        try await pool.execute(Self.resume()).decode(as: String.self).compactMap { PauseScope($0) }
    }
}

extension PauseChange: StatementInputGroup {
    public var statementInputs:
        StatementInputs<String, Bool, String, String, Int64?, WallInstant?, Bool, String?, String?>
    {
        StatementInputs(
            scope.text, action == .pause, reason, updatedBy, expectedVersion, resumeAt, cancelsRunning, clientAddress,
            requestID)
    }
}
