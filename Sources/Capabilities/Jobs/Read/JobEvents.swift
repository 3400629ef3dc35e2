public import Postgres
public import Values

/// A change of a job's state.
public struct JobEvent: Sendable {
    public let at: WallInstant
    /// nil: the job was created.
    public let from: JobStatus?
    public let to: JobStatus
    /// Of the table `state_machine`, which says what it means.
    public let transition: String
    /// Attempts spent after the transition, or the number of the one that begins with it.
    public let attempt: Int16
    /// The name of the worker that had the job, or took it.
    public let worker: String?
    /// Who wanted it, if not the worker itself.
    public let actor: String?
    /// What that said, or why the attempt failed.
    public let reason: String?
}

extension JobStore {
    /// Events are only ever added behind, so that a page begins after so many. The rows of one job are few, and sessions of
    /// the hot profile visit each by its key, whatever the statistics say.
    private static let events = Statement(
        "list_job_events",
        """
        SELECT e.at, e.from_status::text, e.to_status::text, e.transition::text, e.attempt, e.worker, e.actor, e.reason
        FROM job_event e WHERE e.id = $1 ORDER BY e.at, e.transition OFFSET $2 LIMIT $3
        """, [.uuid, .int8, .int8], isIdempotent: true)

    /// At most `limit` events of the job, in the order in which they happened, after the first `offset`. A job has at
    /// least one; none: there is no such job, or there are no more.
    public func events(of id: UUID, after offset: Int, limit: Int) async throws(PostgresError) -> [JobEvent] {
        var parameters = Parameters()
        parameters.append(id)
        parameters.append(Int64(offset))
        parameters.append(Int64(limit))
        var events: [JobEvent] = []
        for row in try await hot.execute(Self.events, parameters) { events.append(try JobEvent(row)) }
        return events
    }
}

extension JobEvent {
    fileprivate init(_ row: Row) throws(PostgresError) {
        at = try row.timestamptz(0)
        from = try row.optionalText(1).flatMap(JobStatus.init(rawValue:))
        let name = try row.text(2)
        guard let status = JobStatus(rawValue: name) else {
            throw .unexpectedValue(column: 2, reason: "a transition leads to \(name)")
        }
        to = status
        transition = try row.text(3)
        attempt = try row.int2(4)
        worker = try row.optionalText(5)
        actor = try row.optionalText(6)
        reason = try row.optionalText(7)
    }
}
