public import Postgres
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

    /// The columns for a row `c` of the table `pause_state`. A pause whose `resume_at` has passed has ended, recorded
    /// or not.
    static let columns: SQLFragment = """
        c.scope, c.version, c.paused AND (c.resume_at IS NULL OR c.resume_at > clock_timestamp()), c.reason,
        c.updated_by, c.updated_at, c.resume_at
        """
}

extension PauseState: OptionalRowDecodable {
    /// A row of `columns`.
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        scope = try columns.next(parsing: { PauseScope($0) })
        version = try columns.next()
        isPaused = try columns.next()
        reason = try columns.next()
        updatedBy = try columns.next()
        updatedAt = try columns.next()
        resumeAt = try columns.next()
    }

    public static func readOptional(_ columns: inout ColumnCursor) throws(PostgresError) -> PauseState? {
        var ahead = columns
        let scope: String? = try ahead.next()
        if scope != nil { return try PauseState(&columns) }
        columns.skipRest()
        return nil
    }
}
