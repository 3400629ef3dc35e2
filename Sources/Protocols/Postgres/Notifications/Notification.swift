/// A notification received from `NOTIFY`.
public struct Notification: Sendable, Hashable {
    public let channel: String
    public let payload: String
    /// Process id of the sending session (`pg_backend_pid()`).
    public let serverProcessID: Int32
}
