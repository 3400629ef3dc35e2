public import Postgres
public import Values

/// A pause that holds a job back now: of all jobs, of its queue, or of its type.
public struct HoldingPause: Hashable, Sendable {
    /// `all`, `queue:NAME` or `type:NAME`.
    public let scope: String
    public let version: Int64
    public let updatedBy: String
    public let since: WallInstant
    public let reason: String
    /// When it ends by itself; nil: never.
    public let resumeAt: WallInstant?
}

extension JobStore {
    private static let pausesStatement = Statement<UUID>(
        "pauses_of_job",
        """
        SELECT c.scope, c.version, c.updated_by, c.updated_at, c.reason, c.resume_at
        FROM job j
        JOIN subqueue b ON b.id = j.subqueue_id
        JOIN active_pause p
            ON COALESCE(p.queue_id, b.queue_id) = b.queue_id AND COALESCE(p.type_id, b.type_id) = b.type_id
        JOIN pause_state c ON c.scope = p.scope
        WHERE j.id = $1
        ORDER BY c.scope
        """, isIdempotent: true)

    /// The pauses that hold the job back.
    func pauses(of id: UUID) async throws(PostgresError) -> [HoldingPause] {
        try await general.execute(Self.pausesStatement(id)).decode()
    }
}

extension HoldingPause: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        scope = try columns.next()
        version = try columns.next()
        updatedBy = try columns.next()
        since = try columns.next()
        reason = try columns.next()
        resumeAt = try columns.next()
    }
}
