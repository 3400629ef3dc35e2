import CLibPQ
import EventLoop

/// Owns one `PGcancel`, which is handed to the one thread that uses and frees it.
struct CancelRequest: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(taking pointer: OpaquePointer) {
        self.pointer = pointer
    }

    /// Whether the request arrives is not told: the statement's own answer shows it.
    func send() {
        Thread.start(label: "pg-cancel") {
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { reason in
                _ = PQcancel(pointer, reason.baseAddress, Int32(reason.count))
            }
            PQfreeCancel(pointer)
        }
    }
}
