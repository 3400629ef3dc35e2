internal import Synchronization

/// Who this worker is for PostgreSQL. The id changes when it was taken for dead and has joined anew.
final class WorkerIdentity: Sendable {
    private let ids = Mutex<[Int64]>([])

    /// 0 before it has joined.
    var id: Int64 { ids.withLock { $0.last ?? 0 } }

    /// Those that it had before, too: leases that it was given by them are still its own.
    var all: [Int64] { ids.withLock { $0 } }

    /// It has joined by this id.
    func became(_ id: Int64) {
        ids.withLock { $0.append(id) }
    }
}
