internal import Synchronization

/// The request to one attempt to stop. The runtime requests it; the handler stops its work and returns.
final class Cancellation: Sendable {
    enum Reason: Hashable, Sendable {
        /// The attempt has exceeded its deadline.
        case deadline
        /// The worker stops, and the grace period of the running jobs is over.
        case shutdown
        /// The lease was not renewed in time, or another worker has the job: nothing may be written about the attempt.
        case leaseLost
        /// The job was cancelled. `grace`: the time before the handler uses force.
        case cancelled(grace: Duration)
    }

    private struct State {
        var reason: Reason?
        /// All reasons so far: the callback gets each one once.
        var requested: Set<Reason> = []
        var callback: (@Sendable (Reason) -> Void)?
    }

    private let state = Mutex(State())

    /// The reason that decides the result; nil while no cancellation is requested.
    var reason: Reason? { state.withLock { $0.reason } }

    /// The first reason decides the result, except that a lost lease overrides all others: it forbids writing a result.
    /// The callback gets every reason, because a later one may leave the handler less time.
    func request(_ reason: Reason) {
        let callback = state.withLock { state -> (@Sendable (Reason) -> Void)? in
            guard state.requested.insert(reason).inserted else { return nil }
            if state.reason == nil || reason == .leaseLost { state.reason = reason }
            return state.callback
        }
        callback?(reason)
    }

    /// Calls `callback` once for each reason: at once for those already requested, later ones on the thread of the
    /// request (the worker's loop).
    func onRequest(_ callback: @escaping @Sendable (Reason) -> Void) {
        let reasons = state.withLock { state in
            state.callback = callback
            return state.requested
        }
        for reason in reasons { callback(reason) }
    }
}
