internal import Postgres
internal import Telemetry
public import Values

/// A job as it stands, in the form that the API shows.
public struct Job: Sendable {
    public let id: UUID
    public let type: String
    public let queue: String
    public let status: JobStatus
    /// Lower runs first.
    public let priority: Int16
    /// The JSON text, byte for byte.
    public let payload: [UInt8]
    /// Attempts spent, or the number of the one that runs.
    public let attempt: Int32
    /// Raised by one when a person has retried a job that was out of attempts.
    public let maxAttempts: Int32
    /// The deadline of one attempt in seconds; 0: none.
    public let timeoutSeconds: Int32
    /// Between the request to stop and the use of force, in seconds.
    public let cancelGraceSeconds: Int32
    public let backoff: Backoff
    public let uniqueKey: String?
    public let concurrencyKey: String?
    public let tags: [String]
    public let traceParent: String?
    /// The JSON text of the job that is created when this one is ended by force.
    public let teardown: [UInt8]?
    public let createdAt: WallInstant
    /// When it may run, or might have run first.
    public let runAt: WallInstant
    /// Of the last attempt.
    public let startedAt: WallInstant?
    public let finishedAt: WallInstant?
    /// The name of the worker that has it, or had it at the end.
    public let worker: String?
    public let leaseToken: Int64?
    public let leaseExpiresAt: WallInstant?
    /// The last word of its handler.
    public let progress: Progress?
    /// JSON texts.
    public let result: [UInt8]?
    public let lastError: [UInt8]?

    /// The job that was just created.
    init(created job: NewJob, id: UUID, at createdAt: WallInstant) {
        self.id = id
        type = job.type
        queue = job.queue
        let runAt = job.runAt ?? createdAt
        status = runAt > createdAt ? .scheduled : .queued
        priority = job.priority
        payload = job.payload
        attempt = 0
        maxAttempts = Int32(job.maxAttempts)
        timeoutSeconds = job.timeoutSeconds
        cancelGraceSeconds = job.cancelGraceSeconds
        backoff = job.backoff
        uniqueKey = job.uniqueKey
        concurrencyKey = job.concurrencyKey
        tags = job.tags
        traceParent = job.traceParent
        teardown = job.teardown
        self.createdAt = createdAt
        self.runAt = runAt
        startedAt = nil
        finishedAt = nil
        worker = nil
        leaseToken = nil
        leaseExpiresAt = nil
        progress = nil
        result = nil
        lastError = nil
    }

    /// A row of `JobColumns.list`.
    init(_ row: Row) throws(PostgresError) {
        id = try row.uuid(0)
        queue = try row.text(1)
        type = try row.text(2)
        priority = try row.int2(3)
        let name = try row.text(4)
        guard let status = JobStatus(rawValue: name) else {
            throw .unexpectedValue(column: 4, reason: "a job's status is \(name)")
        }
        self.status = status
        attempt = try row.int4(5)
        maxAttempts = try row.int4(6)
        createdAt = try row.timestamptz(7)
        runAt = try row.timestamptz(8)
        startedAt = try row.optionalTimestamptz(9)
        finishedAt = try row.optionalTimestamptz(10)
        worker = try row.optionalText(11)
        leaseToken = try row.optionalInt8(12)
        leaseExpiresAt = try row.optionalTimestamptz(13)
        timeoutSeconds = try row.int4(14)
        backoff = Backoff(
            kindName: try row.optionalText(15), baseSeconds: try row.optionalFloat8(16),
            maxSeconds: try row.optionalFloat8(17))
        tags = try row.isNull(18) ? [] : row.textArray(18).compactMap { $0 }
        traceParent = try row.optionalText(19)
        payload = try row.bytes(20)
        result = try row.optionalBytes(21)
        lastError = try row.optionalBytes(22)
        concurrencyKey = try row.optionalText(23)
        cancelGraceSeconds = try row.optionalInt4(24) ?? JobLimits.cancelGraceSecondsStandard
        teardown = try row.optionalBytes(25)
        progress =
            try row.isNull(26)
            ? nil
            : Progress(
                percent: row.int2(26), message: row.optionalText(27), reportedAt: row.timestamptz(28))
        uniqueKey = try row.optionalText(29)
    }
}

/// What a job is read with, given its id as `d.id`.
enum JobColumns {
    /// Where a job is tells its status. A job is in one of these tables in every snapshot; one that moves while the
    /// statement runs is seen where it was when that began. `subqueue_id` leads the indexes of `ready` and `outcome`.
    static let list: SQLFragment = """
        j.id, q.name AS queue, t.name AS type, b.priority,
        CASE WHEN o.id IS NOT NULL THEN o.status::text
             WHEN l.id IS NOT NULL THEN CASE WHEN l.cancel_requested_at IS NULL THEN 'running' ELSE 'ending' END
             WHEN s.id IS NOT NULL THEN 'scheduled'
             WHEN r.id IS NOT NULL THEN 'queued' END AS status,
        COALESCE(o.attempt, l.attempt, s.attempt, r.attempt)::int AS attempt,
        GREATEST(j.max_attempts, COALESCE(o.attempt, l.attempt, s.attempt + 1, r.attempt + 1))::int AS max_attempts,
        j.created_at, COALESCE(s.run_at, j.run_at, j.created_at) AS run_at,
        COALESCE(o.started_at, l.leased_at) AS started_at, o.finished_at,
        w.name AS worker, l.token AS lease_token, l.expires_at AS lease_expires_at,
        j.timeout_seconds, j.backoff_kind::text, j.backoff_base_seconds, j.backoff_max_seconds,
        j.tags, j.trace_parent, j.payload, o.result, e.error AS last_error,
        j.concurrency_key, j.cancel_grace_seconds, j.teardown, p.percent, p.message, p.reported_at, j.unique_key
        """

    /// `OFFSET 0` keeps each look-up apart from the join: after a VACUUM has seen a table empty, the planner would else
    /// read all of it once instead of visiting one row, whatever it has grown to since.
    static let tables: SQLFragment = """
        JOIN job j ON j.id = ANY (ARRAY[d.id])
        LEFT JOIN LATERAL (SELECT * FROM ready WHERE subqueue_id = j.subqueue_id AND id = j.id OFFSET 0) r ON true
        LEFT JOIN LATERAL (SELECT * FROM scheduled WHERE subqueue_id = j.subqueue_id AND id = j.id OFFSET 0) s ON true
        LEFT JOIN LATERAL (SELECT * FROM lease WHERE id = j.id OFFSET 0) l ON true
        LEFT JOIN LATERAL (SELECT * FROM outcome WHERE subqueue_id = j.subqueue_id AND id = j.id OFFSET 0) o ON true
        LEFT JOIN LATERAL (
            SELECT error FROM attempt_error WHERE id = j.id ORDER BY attempt DESC LIMIT 1) e ON true
        LEFT JOIN LATERAL (SELECT * FROM progress WHERE id = j.id OFFSET 0) p ON true
        JOIN subqueue b ON b.id = j.subqueue_id
        JOIN queue q ON q.id = b.queue_id
        JOIN type t ON t.id = b.type_id
        LEFT JOIN worker w ON w.id = COALESCE(o.worker_id, l.worker_id)
        """
}
