/// Who wants a job changed, and why. It is told with the job's events.
public struct Actor: Hashable, Sendable {
    /// At most `JobLimits.actorBytesMax` of UTF-8 without control characters; nil: not said.
    public var name: String?
    /// At most `JobLimits.reasonBytesMax` of UTF-8 without control characters; nil: not said.
    public var reason: String?

    public init(name: String? = nil, reason: String? = nil) {
        self.name = name
        self.reason = reason
    }

    /// Somebody who has said nothing.
    public static let unnamed = Actor()
}
