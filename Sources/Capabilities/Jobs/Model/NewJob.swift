public import Values

/// A job that a client asks for, checked and with its defaults filled in.
public struct NewJob: Sendable {
    /// What kind of work it is: it chooses the handler. `[A-Za-z0-9._:/-]{1,128}`.
    public var type: String
    /// The queue that it waits in; same alphabet.
    public var queue = "default"
    /// Any JSON text, kept byte for byte.
    public var payload: [UInt8]
    /// Lower runs first.
    public var priority: Int16 = 0
    /// nil: at once.
    public var runAt: WallInstant?
    /// How often it may be started, crashes of a worker included.
    public var maxAttempts = JobLimits.maxAttemptsStandard
    /// The deadline of one attempt in seconds; 0: none.
    public var timeoutSeconds = JobLimits.timeoutSecondsStandard
    /// Between the request to stop and the use of force, when it is cancelled while it runs, in seconds.
    public var cancelGraceSeconds = JobLimits.cancelGraceSecondsStandard
    public var backoff = Backoff.standard
    /// A job that is created when this one is ended by force: the JSON text of its description, as
    /// `NewJob.read(_:at:payloadBytesMax:as:into:)` accepts it for a teardown.
    public var teardown: [UInt8]?
    /// Jobs of one queue with the same key take turns with those of other keys, and may be bounded in number
    /// (`max_running_per_key` of the queue).
    public var concurrencyKey: String?
    /// While a job has a unique key no other of its type gets it.
    public var uniqueKey: String?
    /// For how long it has the key, counted from its creation; nil: until it ends. Only with a `uniqueKey`.
    public var uniqueSeconds: Int32?
    public var tags: [String] = []
    /// W3C Trace Context of the request that created it.
    public var traceParent: String?

    public init(type: String, payload: [UInt8] = Array("null".utf8)) {
        self.type = type
        self.payload = payload
    }

    /// Of what may be long.
    var bytes: Int { payload.count + (teardown?.count ?? 0) }

    /// Whether all columns but the ones that every job has would be NULL, so that the narrow statement serves.
    var isPlain: Bool {
        runAt == nil && maxAttempts == JobLimits.maxAttemptsStandard
            && timeoutSeconds == JobLimits.timeoutSecondsStandard && backoff == .standard && tags.isEmpty
            && traceParent == nil && concurrencyKey == nil && uniqueKey == nil
            && cancelGraceSeconds == JobLimits.cancelGraceSecondsStandard && teardown == nil
    }
}
