import CLibPQ

/// The notices and warnings of a session. All are dropped, except for what one of them means: PostgreSQL reports a
/// commit as successful, with a warning, when its wait for a synchronous standby was cancelled. Such a commit may be
/// lost with the server.
final class NoticeReceiver {
    private var hasUnconfirmedCommit = false

    /// Receives the notices of `connection`, which must not outlive this object.
    func receive(from connection: OpaquePointer) {
        PQsetNoticeReceiver(
            connection,
            { argument, result in
                guard let argument, let function = PQresultErrorField(result, Int32(UInt8(ascii: "R"))),
                    String(cString: function) == "SyncRepWaitForLSN"
                else { return }
                Unmanaged<NoticeReceiver>.fromOpaque(argument).takeUnretainedValue().hasUnconfirmedCommit = true
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    func takeUnconfirmedCommit() -> Bool {
        defer { hasUnconfirmedCommit = false }
        return hasUnconfirmedCommit
    }
}
