import CLibPQ
import EventLoop

/// Owns a `PGcancel` until the thread that sends the request frees it.
struct CancelRequest: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(taking pointer: OpaquePointer) {
        self.pointer = pointer
    }

    /// Sends the request on a thread. The result is not reported; the response to the statement shows it.
    func send() {
        Thread.start(label: "pg-cancel") {
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { reason in
                _ = PQcancel(pointer, reason.baseAddress, Int32(reason.count))
            }
            PQfreeCancel(pointer)
        }
    }
}
