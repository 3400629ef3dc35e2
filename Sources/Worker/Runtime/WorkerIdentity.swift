internal import Synchronization
internal import Values
internal import Workers

/// The ids under which this worker is registered. It gets a new one when it was considered dead and has joined again.
///
/// It may lease under an id only for some time after a heartbeat: a worker that was stopped or cut off for longer may
/// be considered dead, and what it leased under the old id would be reclaimed at once.
final class WorkerIdentity: Sendable {
    /// How long after a heartbeat the worker may lease. The rest of the time in which it counts as alive is for the
    /// lease statement.
    static let confirmedFor = Duration.seconds(WorkerRegistry.aliveSeconds / 2)

    private struct State {
        var ids: [Int64] = []
        /// Before the statement was sent that last showed that the id is registered.
        var confirmedAt = MonotonicInstant(nanoseconds: 0)
    }

    private let state = Mutex(State())

    /// The current id; 0 before the worker has joined.
    var id: Int64 { state.withLock { $0.ids.last ?? 0 } }

    /// The current id and all earlier ones: leases granted under an earlier id are still this worker's.
    var all: [Int64] { state.withLock { $0.ids } }

    /// Whether jobs may be leased under the current id.
    func mayLease(at now: MonotonicInstant) -> Bool {
        state.withLock { now - $0.confirmedAt < Self.confirmedFor }
    }

    /// The worker has joined with this id.
    func became(_ id: Int64, sentAt: MonotonicInstant) {
        state.withLock { state in
            state.ids.append(id)
            state.confirmedAt = sentAt
        }
    }

    /// A heartbeat under the current id has arrived.
    func confirmed(sentAt: MonotonicInstant) {
        state.withLock { $0.confirmedAt = sentAt }
    }
}
