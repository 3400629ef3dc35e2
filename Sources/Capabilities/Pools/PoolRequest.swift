/// The configuration that a pool gets, with the actor and the reason.
public struct PoolRequest: Sendable {
    public var spec: PoolSpec
    /// nil: not given.
    public var updatedBy: String?
    public var reason: String?
}
