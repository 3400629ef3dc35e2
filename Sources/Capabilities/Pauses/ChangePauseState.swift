public import Postgres
public import Values

/// A goal to pause or to resume.
public struct PauseChange: Sendable {
    public var scope: PauseScope
    public var isPause: Bool
    public var reason: String
    public var updatedBy: String
    /// Only if the scope still has this version.
    public var expectedVersion: Int64?
    /// When the pause ends by itself.
    public var resumeAt: WallInstant?
    /// Jobs of the scope that run are asked to stop. Written down here; carrying it out is for the caller.
    public var cancelsRunning = false
    public var clientAddress: String?
    public var requestID: String?

    public init(scope: PauseScope, isPause: Bool, reason: String, updatedBy: String) {
        self.scope = scope
        self.isPause = isPause
        self.reason = reason
        self.updatedBy = updatedBy
    }
}

/// What became of it.
public enum PauseAnswer: Hashable, Sendable {
    case changed(PauseState)
    /// The scope has another version than was expected: this one. Nothing was changed.
    case outdated(PauseState)
}

extension PauseStore {
    /// The work is done in the function (`0010_pauses.sql`), under a lock that keeps every lease out meanwhile.
    private static let change = Statement(
        "change_pause_state",
        """
        SELECT a.changed, \(sql: PauseState.columns)
        FROM (SELECT changed, (state).* FROM change_pause_state($1, $2, $3, $4, $5, $6, $7, $8, $9)) a
        CROSS JOIN LATERAL (SELECT a.scope, a.version, a.paused, a.reason, a.updated_by, a.updated_at, a.resume_at) c
        """, [.text, .bool, .text, .text, .int8, .timestamptz, .bool, .text, .text])

    /// Returns when the change is committed: from then on no lease of a paused scope commits, whatever a worker knows.
    public func change(_ change: PauseChange) async throws(PostgresError) -> PauseAnswer {
        var parameters = Parameters()
        parameters.append(text: change.scope.text)
        parameters.append(change.isPause)
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

    /// Writes down that pauses have ended whose time has come. Any number of callers at once: each is written once.
    /// - Returns: their scopes.
    public func resumeDue() async throws(PostgresError) -> [PauseScope] {
        var scopes: [PauseScope] = []
        for row in try await pool.execute(Self.resume) {
            if let scope = PauseScope(try row.text(0)) { scopes.append(scope) }
        }
        return scopes
    }
}
