public import Postgres
public import Telemetry

/// A wish to pause or to resume.
public struct ControlChange: Sendable {
    public var scope: ControlScope
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

    public init(scope: ControlScope, isPause: Bool, reason: String, updatedBy: String) {
        self.scope = scope
        self.isPause = isPause
        self.reason = reason
        self.updatedBy = updatedBy
    }
}

/// What became of it.
public enum ControlAnswer: Hashable, Sendable {
    case changed(ControlState)
    /// The scope has another version than was expected: this one. Nothing was changed.
    case outdated(ControlState)
}

extension ControlStore {
    /// The work is done in the function (`0010_control.sql`), under a lock that keeps every lease out meanwhile.
    private static let change = Statement(
        "change_control",
        """
        SELECT a.changed, \(sql: ControlState.columns)
        FROM (SELECT changed, (state).* FROM change_control($1, $2, $3, $4, $5, $6, $7, $8, $9)) a
        CROSS JOIN LATERAL (SELECT a.scope, a.version, a.paused, a.reason, a.updated_by, a.updated_at, a.resume_at) c
        """, [.text, .bool, .text, .text, .int8, .timestamptz, .bool, .text, .text])

    /// Returns when the change is committed: from then on no lease of a paused scope commits, whatever a worker knows.
    public func change(_ change: ControlChange) async throws(PostgresError) -> ControlAnswer {
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
        let state = try row.isNull(1) ? ControlState(unchanged: change.scope) : ControlState(row, from: 1)
        return isChanged ? .changed(state) : .outdated(state)
    }

    private static let resume = Statement("resume_due", "SELECT resume_due()")

    /// Writes down that pauses have ended whose time has come. Any number of callers at once: each is written once.
    /// - Returns: their scopes.
    public func resumeDue() async throws(PostgresError) -> [ControlScope] {
        var scopes: [ControlScope] = []
        for row in try await pool.execute(Self.resume) {
            if let scope = ControlScope(try row.text(0)) { scopes.append(scope) }
        }
        return scopes
    }
}
