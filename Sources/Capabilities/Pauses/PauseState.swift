internal import Postgres
public import Values

/// How a scope is now, as its last change has left it.
public struct PauseState: Hashable, Sendable {
    public let scope: PauseScope
    /// Of its last change, in the history of all scopes; 0: it was never changed.
    public let version: Int64
    public let isPaused: Bool
    public let reason: String?
    public let updatedBy: String?
    public let updatedAt: WallInstant?
    /// When a pause ends by itself.
    public let resumeAt: WallInstant?

    /// A scope that was never changed: it runs.
    public init(unchanged scope: PauseScope) {
        self.scope = scope
        version = 0
        isPaused = false
        reason = nil
        updatedBy = nil
        updatedAt = nil
        resumeAt = nil
    }

    /// A row of `columns`, from column `first` on.
    init(_ row: Row, from first: Int = 0) throws(PostgresError) {
        let text = try row.text(first)
        guard let scope = PauseScope(text) else {
            throw .unexpectedValue(column: first, reason: "a scope is called \(text)")
        }
        self.scope = scope
        version = try row.int8(first + 1)
        isPaused = try row.bool(first + 2)
        reason = try row.text(first + 3)
        updatedBy = try row.text(first + 4)
        updatedAt = try row.timestamptz(first + 5)
        resumeAt = try row.optionalTimestamptz(first + 6)
    }

    /// Of the row `c` of the table `control`. A pause whose time has come has ended, whether that was written down or not.
    static let columns: SQLFragment = """
        c.scope, c.version, c.paused AND (c.resume_at IS NULL OR c.resume_at > clock_timestamp()), c.reason, c.updated_by,
        c.updated_at, c.resume_at
        """
}
