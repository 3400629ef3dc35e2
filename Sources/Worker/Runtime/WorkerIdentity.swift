internal import Synchronization

/// The ids under which this worker is registered. It gets a new one when it was considered dead and has joined again.
final class WorkerIdentity: Sendable {
    private let ids = Mutex<[Int64]>([])

    /// The current id; 0 before the worker has joined.
    var id: Int64 { ids.withLock { $0.last ?? 0 } }

    /// The current id and all earlier ones: leases granted under an earlier id are still this worker's.
    var all: [Int64] { ids.withLock { $0 } }

    /// The worker has joined with this id.
    func became(_ id: Int64) {
        ids.withLock { $0.append(id) }
    }
}
