public import Postgres

/// The result of a change.
public enum PauseAnswer: Hashable, Sendable {
    /// The new state of the scope.
    case changed(PauseState)
    /// Nothing was changed: the scope has this state, whose version is not the expected one.
    case outdated(PauseState)
}

extension PauseStore {
    /// The function (`0010_pauses.sql`) changes the state under a lock that excludes every lease.
    private static let change = Statement(
        "change_pause_state",
        """
        SELECT a.changed, \(sql: PauseState.columns)
        FROM (SELECT changed, (state).* FROM change_pause_state($1, $2, $3, $4, $5, $6, $7, $8, $9)) a
        CROSS JOIN LATERAL (SELECT a.scope, a.version, a.paused, a.reason, a.updated_by, a.updated_at, a.resume_at) c
        """, [.text, .bool, .text, .text, .int8, .timestamptz, .bool, .text, .text])

    /// Returns when the change is committed. From then on no lease of a paused scope commits.
    public func change(_ change: PauseChange) async throws(PostgresError) -> PauseAnswer {
        var parameters = Parameters()
        parameters.append(text: change.scope.text)
        parameters.append(change.action == .pause)
        parameters.append(text: change.reason)
        parameters.append(text: change.updatedBy)
        parameters.append(change.expectedVersion)
        parameters.append(change.resumeAt)
        parameters.append(change.cancelsRunning)
        parameters.append(text: change.clientAddress)
        parameters.append(text: change.requestID)
        let row = try await pool.execute(Self.change, parameters).onlyRow()
        let isChanged = try row.bool(0)
        let state = try row.isNull(1) ? PauseState(unchanged: change.scope) : PauseState(row, from: 1)
        return isChanged ? .changed(state) : .outdated(state)
    }

    private static let resume = Statement("end_due_pauses", "SELECT end_due_pauses()")

    /// Records the end of pauses whose `resume_at` has passed. Concurrent callers record each end once.
    /// - Returns: the scopes of these pauses.
    public func resumeDue() async throws(PostgresError) -> [PauseScope] {
        var scopes: [PauseScope] = []
        for row in try await pool.execute(Self.resume) {
            if let scope = PauseScope(try row.text(0)) { scopes.append(scope) }
        }
        return scopes
    }
}
