internal import Postgres
public import Values

/// The state of a scope: its last change.
public struct PauseState: Hashable, Sendable {
    public let scope: PauseScope
    /// The version of the last change; 0: the scope was never changed.
    public let version: Int64
    public let isPaused: Bool
    public let reason: String?
    public let updatedBy: String?
    public let updatedAt: WallInstant?
    /// When the pause ends by itself; nil: never.
    public let resumeAt: WallInstant?

    /// A scope that was never changed. It is not paused.
    public init(unchanged scope: PauseScope) {
        self.scope = scope
        version = 0
        isPaused = false
        reason = nil
        updatedBy = nil
        updatedAt = nil
        resumeAt = nil
    }

    /// A row of `columns`, which begin at column `first`.
    init(_ row: Row, from first: Int = 0) throws(PostgresError) {
        let text = try row.text(first)
        guard let scope = PauseScope(text) else {
            throw .unexpectedValue(column: first, reason: "\(text) is not a scope")
        }
        self.scope = scope
        version = try row.int8(first + 1)
        isPaused = try row.bool(first + 2)
        reason = try row.text(first + 3)
        updatedBy = try row.text(first + 4)
        updatedAt = try row.timestamptz(first + 5)
        resumeAt = try row.optionalTimestamptz(first + 6)
    }

    /// The columns for a row `c` of the table `pause_state`. A pause whose `resume_at` has passed has ended, recorded
    /// or not.
    static let columns: SQLFragment = """
        c.scope, c.version, c.paused AND (c.resume_at IS NULL OR c.resume_at > clock_timestamp()), c.reason,
        c.updated_by, c.updated_at, c.resume_at
        """
}
