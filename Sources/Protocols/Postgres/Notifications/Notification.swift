/// What `NOTIFY` delivers.
public struct Notification: Sendable, Hashable {
    public let channel: String
    public let payload: String
    /// The process of the server that sent it (`pg_backend_pid()` there).
    public let serverProcessID: Int32
}
