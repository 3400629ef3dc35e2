public import Postgres
public import Values

/// A job as it stands, in the form that the API shows.
public struct Job: Sendable {
    public internal(set) var id = UUID(high: 0, low: 0)
    public internal(set) var type = ""
    public internal(set) var queue = ""
    public internal(set) var status = JobStatus.queued
    /// Lower runs first.
    public internal(set) var priority: Int16 = 0
    /// The JSON text, byte for byte.
    public internal(set) var payload: [UInt8] = []
    /// Attempts spent, or the number of the attempt that runs.
    public internal(set) var attempt: Int32 = 0
    /// Raised by one when a person has retried a job that was out of attempts.
    public internal(set) var maxAttempts: Int32 = 0
    /// The deadline of one attempt in seconds; 0: none.
    public internal(set) var timeoutSeconds: Int32 = 0
    /// From the request to stop to the use of force, in seconds.
    public internal(set) var cancelGraceSeconds: Int32 = 0
    public internal(set) var backoff = Backoff.standard
    public internal(set) var uniqueKey: String?
    public internal(set) var concurrencyKey: String?
    public internal(set) var tags: [String] = []
    public internal(set) var traceParent: String?
    /// The JSON text of the job that is created when this one is ended by force.
    public internal(set) var teardown: [UInt8]?
    public internal(set) var createdAt = WallInstant.earliest
    /// When it may run; of a job that has run, when it might have run first.
    public internal(set) var runAt = WallInstant.earliest
    /// Start of the last attempt.
    public internal(set) var startedAt: WallInstant?
    public internal(set) var finishedAt: WallInstant?
    /// The name of the worker that runs it, or ran it last.
    public internal(set) var worker: String?
    public internal(set) var leaseToken: Int64?
    public internal(set) var leaseExpiresAt: WallInstant?
    /// The latest report of its handler.
    public internal(set) var progress: Progress?
    /// A JSON text.
    public internal(set) var result: [UInt8]?
    /// A JSON text.
    public internal(set) var lastError: [UInt8]?

    /// Before its columns are read.
    private init() {}

    /// A job that was just created.
    init(created job: NewJob, id: UUID, at createdAt: WallInstant) {
        self.id = id
        type = job.type
        queue = job.queue
        runAt = job.runAt(createdAt: createdAt)
        status = runAt > createdAt ? .scheduled : .queued
        priority = job.priority
        payload = job.payload
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
    }
}

extension Job: RowDecodable {
    /// A row of `JobColumns.list`.
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        self.init()
        try JobColumns.list.read(&columns, into: &self)
    }
}
