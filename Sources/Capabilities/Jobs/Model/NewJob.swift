public import Values

/// A job to create, validated and with its defaults filled in.
public struct NewJob: Hashable, Sendable {
    /// The kind of work, which selects the handler. `[A-Za-z0-9._:/-]{1,128}`.
    public var type: String
    /// The queue; same alphabet.
    public var queue = "default"
    /// Any JSON text, kept byte for byte.
    public var payload: [UInt8]
    /// Lower runs first.
    public var priority: Int16 = 0
    /// nil: at once.
    public var runAt: WallInstant?
    /// Earliest start in seconds from the creation, by PostgreSQL's clock. Excludes `runAt`.
    public var delaySeconds: Int32?
    /// Maximum number of attempts, including those that end with the crash of a worker.
    public var maxAttempts = JobLimits.maxAttemptsStandard
    /// The deadline of one attempt in seconds; 0: none.
    public var timeoutSeconds = JobLimits.timeoutSecondsStandard
    /// When it is cancelled while it runs: the time from the request to stop to the use of force, in seconds.
    public var cancelGraceSeconds = JobLimits.cancelGraceSecondsStandard
    public var backoff = Backoff.standard
    /// A job that is created when this one is ended by force: the JSON text of its description, as
    /// `NewJob.read(_:at:payloadBytesMax:as:into:)` accepts it for a teardown.
    public var teardown: [UInt8]?
    /// The keys of a queue are served round-robin, and the number of running jobs with one key may be limited
    /// (`max_running_per_key` of the queue).
    public var concurrencyKey: String?
    /// While a job holds a unique key, no other job of its type can be created with it.
    public var uniqueKey: String?
    /// How long it holds the key, in seconds from its creation; nil: until it ends. Requires a `uniqueKey`.
    public var uniqueSeconds: Int32?
    public var tags: [String] = []
    /// W3C Trace Context of the request that created it.
    public var traceParent: String?

    public init(type: String, payload: [UInt8] = Array("null".utf8)) {
        self.type = type
        self.payload = payload
    }

    /// Size of the members that may be large.
    var bytes: Int { payload.count + (teardown?.count ?? 0) }

    /// The earliest start of the job if it is created at this instant.
    func runAt(createdAt: WallInstant) -> WallInstant {
        runAt ?? delaySeconds.map { createdAt + .seconds($0) } ?? createdAt
    }

    /// Whether the job has no option, so that the statement without options can insert it. Compares all members with
    /// those of a job without options, so that an option that is added later cannot be forgotten here.
    var isPlain: Bool {
        var plain = NewJob(type: type, payload: payload)
        plain.queue = queue
        plain.priority = priority
        return self == plain
    }
}
