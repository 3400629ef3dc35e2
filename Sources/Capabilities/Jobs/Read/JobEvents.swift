public import Postgres
public import Values

/// A change of a job's state.
public struct JobEvent: Sendable {
    public let at: WallInstant
    /// nil: the job was created.
    public let from: JobStatus?
    public let to: JobStatus
    /// A transition of the table `state_machine`, which has its meaning.
    public let transition: String
    /// Attempts spent after the transition, or the number of the one that begins with it.
    public let attempt: Int16
    /// The name of the worker that ran the job, or took it.
    public let worker: String?
    /// Who caused it, if not the worker itself.
    public let actor: String?
    /// The actor's reason, or the error of the attempt.
    public let reason: String?
}

/// A page of the events of a job.
public struct JobEventPage: Sendable {
    public var events: [JobEvent] = []
    /// Whether there are further events.
    public var hasMore = false
}

extension JobStore {
    /// Events are only appended, so a page is a number of events after an offset. The rows of one job are few, and
    /// sessions of the hot profile visit each by its key, whatever the statistics say.
    private static let eventsStatement = Statement<UUID, Int64, Int64, Int64>(
        "list_job_events",
        """
        SELECT p.found, p.at, p.from_status::text, p.to_status::text, p.transition::text, p.attempt, p.worker, p.actor,
               p.reason
        FROM (SELECT e.*, count(*) OVER () AS found, row_number() OVER w AS number,
                     COALESCE(sum(octet_length(e.reason)) OVER w, 0) - COALESCE(octet_length(e.reason), 0) AS bytes
              FROM (SELECT * FROM job_event WHERE id = $1 ORDER BY at, transition OFFSET $2 LIMIT $3 + 1) e
              WINDOW w AS (ORDER BY e.at, e.transition ROWS UNBOUNDED PRECEDING)) p
        WHERE p.number <= $3 AND p.bytes < $4
        ORDER BY p.at, p.transition
        """, isIdempotent: true)

    /// At most `limit` events of the job, in the order in which they happened, after the first `offset`. A page ends
    /// early when its reasons exceed `bytesMax`. A job has at least one event; none: no such job exists, or there are
    /// no more.
    public func events(
        of id: UUID, after offset: Int, limit: Int, bytesMax: Int = JobStore.pageBytesMax
    ) async throws(PostgresError) -> JobEventPage {
        let rows = try await hot.execute(Self.eventsStatement(id, Int64(offset), Int64(limit), Int64(bytesMax)))
            .decode((Int64, JobEvent).self)
        return JobEventPage(events: rows.map(\.1), hasMore: rows.first.map { $0.0 > Int64(rows.count) } ?? false)
    }
}

extension JobEvent: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        at = try columns.next()
        let from: String? = try columns.next()
        self.from = from.flatMap(JobStatus.init(rawValue:))
        to = try JobStatus(&columns)
        transition = try columns.next()
        attempt = try columns.next()
        worker = try columns.next()
        actor = try columns.next()
        reason = try columns.next()
    }
}
