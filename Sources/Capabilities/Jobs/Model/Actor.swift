public import Postgres

/// Who changes a job, and why: stored with the job's events.
public struct Actor: Hashable, Sendable {
    /// At most `JobLimits.actorBytesMax` of UTF-8 without control characters; nil: not given.
    public var name: String?
    /// At most `JobLimits.reasonBytesMax` of UTF-8 without control characters; nil: not given.
    public var reason: String?

    public init(name: String? = nil, reason: String? = nil) {
        self.name = name
        self.reason = reason
    }

    /// Neither a name nor a reason.
    public static let unnamed = Actor()
}

extension Actor: StatementInputGroup {
    /// The actor and the reason of an event. Requests without a name come through the api.
    public var statementInputs: StatementInputs<String, String?> { StatementInputs(name ?? "api", reason) }
}
