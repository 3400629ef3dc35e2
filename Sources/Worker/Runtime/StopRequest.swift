internal import Synchronization

/// Asks one attempt to stop. The runtime requests it, the handler obeys.
final class StopRequest: Sendable {
    enum Reason: Hashable, Sendable {
        /// The attempt has exceeded its deadline.
        case deadline
        /// The worker stops.
        case shutdown
        /// The lease could not be renewed in time, or another worker has the job: nothing may be written any more.
        case leaseLost
        /// A person wants the job to end.
        case cancelled
    }

    private struct State {
        var reason: Reason?
        var callback: (@Sendable (Reason) -> Void)?
    }

    private let state = Mutex(State())

    /// nil while nobody has asked.
    var reason: Reason? { state.withLock { $0.reason } }

    /// The first reason counts; later ones change nothing, except that a lost lease overrides all: it forbids to
    /// write what the others would.
    func request(_ reason: Reason) {
        let callback = state.withLock { state -> (@Sendable (Reason) -> Void)? in
            guard state.reason == nil else {
                if reason == .leaseLost { state.reason = .leaseLost }
                return nil
            }
            state.reason = reason
            defer { state.callback = nil }
            return state.callback
        }
        callback?(reason)
    }

    /// Calls `callback` once when the stop is requested, on the thread of whoever requests it (the worker's loop), or
    /// at once if it has been.
    func onRequest(_ callback: @escaping @Sendable (Reason) -> Void) {
        let reason = state.withLock { state in
            if state.reason == nil { state.callback = callback }
            return state.reason
        }
        if let reason { callback(reason) }
    }
}
