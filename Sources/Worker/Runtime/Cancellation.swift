internal import Synchronization

/// Asks one attempt to stop. The runtime requests it, the handler obeys.
final class Cancellation: Sendable {
    enum Reason: Hashable, Sendable {
        /// The attempt has exceeded its deadline.
        case deadline
        /// The worker stops.
        case shutdown
        /// The lease could not be renewed in time, or another worker has the job: nothing may be written any more.
        case leaseLost
        /// A person wants the job to end; it has so long before force is used.
        case cancelled(grace: Duration)
    }

    private struct State {
        var reason: Reason?
        /// Each is told once.
        var told: Set<Reason> = []
        var callback: (@Sendable (Reason) -> Void)?
    }

    private let state = Mutex(State())

    /// nil while nobody has asked.
    var reason: Reason? { state.withLock { $0.reason } }

    /// The first reason counts, except that a lost lease overrides all: it forbids to write what the others would. The
    /// handler hears of each, since a later one may leave it less time.
    func request(_ reason: Reason) {
        let callback = state.withLock { state -> (@Sendable (Reason) -> Void)? in
            guard state.told.insert(reason).inserted else { return nil }
            if state.reason == nil || reason == .leaseLost { state.reason = reason }
            return state.callback
        }
        callback?(reason)
    }

    /// Calls `callback` once for each reason for which the stop is requested, on the thread of whoever requests it (the
    /// worker's loop), or at once if it has been.
    func onRequest(_ callback: @escaping @Sendable (Reason) -> Void) {
        let reasons = state.withLock { state in
            state.callback = callback
            return state.told
        }
        for reason in reasons { callback(reason) }
    }
}
