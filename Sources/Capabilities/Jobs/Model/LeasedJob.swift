internal import Postgres
public import Values

/// One attempt at a job, as the worker that holds the lease sees it.
public struct LeasedJob: Sendable {
    public var id: UUID
    public var type: String
    /// The id of the type, for `LeaseRequest.excludedTypes`.
    public var typeID: Int32
    public var queue: String
    /// The JSON text of the payload, byte for byte.
    public var payload: [UInt8]
    /// The number of this attempt, from 1.
    public var attempt: Int16
    public var maxAttempts: Int16
    /// The fence: every write about this attempt carries it, and it grows with each lease of the job.
    public var token: Int64
    /// The deadline of one attempt in seconds; 0: none.
    public var timeoutSeconds: Int32
    public var traceParent: String?
    /// From the instant at which the job could run to the lease, in seconds, by PostgreSQL's clock.
    public var waitSeconds: Double

    public init(
        id: UUID, type: String, typeID: Int32, queue: String, payload: [UInt8], attempt: Int16, maxAttempts: Int16,
        token: Int64, timeoutSeconds: Int32, traceParent: String?, waitSeconds: Double
    ) {
        self.id = id
        self.type = type
        self.typeID = typeID
        self.queue = queue
        self.payload = payload
        self.attempt = attempt
        self.maxAttempts = maxAttempts
        self.token = token
        self.timeoutSeconds = timeoutSeconds
        self.traceParent = traceParent
        self.waitSeconds = waitSeconds
    }
}

/// How one attempt ended, as its handler tells it.
public enum AttemptResult: Hashable, Sendable {
    /// Done; with the JSON text of its result, if it has one, of at most `JobLimits.resultBytesMax`.
    case succeeded(result: [UInt8]?)
    /// It failed and may be tried again: after the given seconds, or by the job's backoff when nil.
    case retry(error: String, afterSeconds: Double?)
    /// It failed and must not be tried again.
    case failed(error: String)
    /// It asks to be run again after so many seconds. Spends no attempt.
    case snoozed(seconds: Double)
    /// It was stopped because the worker stops. Spends no attempt, and may run elsewhere at once.
    case released
}
