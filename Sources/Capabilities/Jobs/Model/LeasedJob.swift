public import Values

/// One attempt at a job, as the worker that holds the lease sees it.
public struct LeasedJob: Sendable {
    public var id: UUID
    public var type: String
    /// The id of the type, for `LeaseRequest.excludedTypes`.
    public var typeID: Int32
    public var queue: String
    /// The name of its queue in the metrics (`Subqueue.metricsQueue`).
    public var metricsQueue: String
    /// The JSON text of the payload, byte for byte; empty without `hasPayload`.
    public var payload: [UInt8]
    /// False: the payload is too large to come with the lease (`inline_payload`, `0002_jobs.sql`), and is read when the
    /// attempt is about to start (`JobStore.readPayloads`).
    public var hasPayload: Bool
    /// The number of this attempt, from 1.
    public var attempt: Int16
    public var maxAttempts: Int16
    /// The fencing token: every write about this attempt carries it, and it grows with each lease of the job.
    public var token: Int64
    /// The deadline of one attempt in seconds; 0: none.
    public var timeoutSeconds: Int32
    public var traceParent: String?
    /// From the instant at which the job could run to the lease, in seconds, by PostgreSQL's clock.
    public var waitSeconds: Double
    /// Whether its queue had limits at the lease: its end may let another job start.
    public var isLimited: Bool

    public init(
        id: UUID, type: String, typeID: Int32, queue: String, payload: [UInt8], hasPayload: Bool = true,
        attempt: Int16, maxAttempts: Int16, token: Int64, timeoutSeconds: Int32, traceParent: String?,
        waitSeconds: Double, isLimited: Bool = false, metricsQueue: String? = nil
    ) {
        self.id = id
        self.type = type
        self.typeID = typeID
        self.queue = queue
        self.payload = payload
        self.hasPayload = hasPayload
        self.attempt = attempt
        self.maxAttempts = maxAttempts
        self.token = token
        self.timeoutSeconds = timeoutSeconds
        self.traceParent = traceParent
        self.waitSeconds = waitSeconds
        self.isLimited = isLimited
        self.metricsQueue = metricsQueue ?? queue
    }
}
