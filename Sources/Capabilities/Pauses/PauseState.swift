public import Postgres
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

    /// Of the row `c` of the table `control`. A pause whose time has come has ended, whether that was written down or not.
    static let columns: SQLFragment = """
        c.scope, c.version, c.paused AND (c.resume_at IS NULL OR c.resume_at > clock_timestamp()), c.reason, c.updated_by,
        c.updated_at, c.resume_at
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
