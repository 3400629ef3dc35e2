internal import Postgres
public import Values

/// A pause that holds a job back now: of everything, of its queue, or of its type.
public struct HoldingPause: Hashable, Sendable {
    /// `all`, `queue:NAME` or `type:NAME`.
    public let scope: String
    public let version: Int64
    public let updatedBy: String
    public let since: WallInstant
    public let reason: String
    /// When it ends by itself.
    public let resumeAt: WallInstant?
}

extension JobStore {
    private static let pausesStatement = Statement(
        "pauses_of_job",
        """
        SELECT c.scope, c.version, c.updated_by, c.updated_at, c.reason, c.resume_at
        FROM job j
        JOIN subqueue b ON b.id = j.subqueue_id
        JOIN active_pause p ON COALESCE(p.queue_id, b.queue_id) = b.queue_id AND COALESCE(p.type_id, b.type_id) = b.type_id
        JOIN pause_state c ON c.scope = p.scope
        WHERE j.id = $1
        ORDER BY c.scope
        """, [.uuid], isIdempotent: true)

    /// Whatever is paused of what the job is in.
    func pauses(of id: UUID) async throws(PostgresError) -> [HoldingPause] {
        var parameters = Parameters()
        parameters.append(id)
        var pauses: [HoldingPause] = []
        for row in try await general.execute(Self.pausesStatement, parameters) {
            pauses.append(
                HoldingPause(
                    scope: try row.text(0), version: try row.int8(1), updatedBy: try row.text(2),
                    since: try row.timestamptz(3), reason: try row.text(4), resumeAt: try row.optionalTimestamptz(5)))
        }
        return pauses
    }
}
