import CLibPQ
import EventLoop

/// Owns a `PGcancel` until the thread that sends the request frees it.
struct CancelRequest: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(taking pointer: OpaquePointer) {
        self.pointer = pointer
    }

    /// Sends the request on a separate thread and connection, because the call of libpq 15 blocks. `tcp_user_timeout`
    /// limits its duration. The response to the statement shows its effect.
    ///
    /// - Parameter whenEnded: called on that thread when the server has processed the request (true), or when it may
    ///   still do so (false).
    func send(_ whenEnded: @escaping @Sendable (Bool) -> Void) {
        Thread.start(label: "pg-cancel") {
            let isProcessed = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { reason in
                PQcancel(pointer, reason.baseAddress, Int32(reason.count)) == 1
            }
            PQfreeCancel(pointer)
            whenEnded(isProcessed)
        }
    }
}
