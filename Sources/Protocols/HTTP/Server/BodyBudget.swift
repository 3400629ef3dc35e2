internal import Synchronization

/// Limits the memory of all request bodies together, so that large uploads cannot exhaust it. A connection reserves
/// memory for a body before it reads it, and releases it when the request has been answered. What exceeds the budget
/// waits, in the order of arrival, and the client is slowed down by TCP.
///
/// A body without an announced length reserves memory in steps, so it may hold some and wait for more. So that such
/// bodies never all wait for each other, one reservation at a time may exceed the budget.
final class BodyBudget: Sendable {
    /// What one request has reserved.
    struct Reservation {
        fileprivate(set) var bytes = 0
        fileprivate var exceeds = false
    }

    /// Size of one reservation, or a multiple of it. Large, so that a body rarely touches the shared state.
    static let stepBytes = 64 * 1024

    private struct Waiting {
        let number: UInt64
        let bytes: Int
        let wake: @Sendable () -> Void
    }

    private struct State {
        var reserved = 0
        /// Whether a reservation exceeds the budget.
        var isExceeded = false
        var waiting: [Waiting] = []
        /// Those that wait no longer, and whether their reservation exceeds the budget.
        var granted: [UInt64: Bool] = [:]
        var nextNumber: UInt64 = 0
    }

    enum Answer {
        case reserved
        /// `wake` will be called; then, or to give up, `endWait` must be.
        case waiting(number: UInt64)
    }

    private let bytesMax: Int
    private let state = Mutex(State())

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Extends a reservation by `bytes`, or begins to wait for them.
    /// - Parameter wake: called on the thread of another connection.
    func extend(_ reservation: inout Reservation, by bytes: Int, wake: @escaping @Sendable () -> Void) -> Answer {
        let exceeds = reservation.exceeds
        let answer: (Answer, exceeds: Bool) = state.withLock { state in
            if !exceeds, let isExcess = grant(bytes, isFirst: state.waiting.isEmpty, &state) {
                return (.reserved, isExcess)
            }
            if exceeds {
                state.reserved += bytes
                return (.reserved, true)
            }
            state.nextNumber += 1
            state.waiting.append(Waiting(number: state.nextNumber, bytes: bytes, wake: wake))
            return (.waiting(number: state.nextNumber), false)
        }
        if case .reserved = answer.0 {
            reservation.bytes += bytes
            reservation.exceeds = answer.exceeds
        }
        return answer.0
    }

    /// Ends a wait for `bytes`. Returns false if nothing was reserved.
    func endWait(_ number: UInt64, of reservation: inout Reservation, for bytes: Int) -> Bool {
        let (exceeds, woken) = state.withLock { state -> (Bool?, ArraySlice<Waiting>) in
            if let exceeds = state.granted.removeValue(forKey: number) { return (exceeds, []) }
            state.waiting.removeAll { $0.number == number }
            // A smaller one behind it may fit.
            return (nil, grantWaiting(&state))
        }
        for waiting in woken { waiting.wake() }
        guard let exceeds else { return false }
        reservation.bytes += bytes
        reservation.exceeds = exceeds
        return true
    }

    func release(_ reservation: inout Reservation) {
        guard reservation.bytes > 0 else { return }
        let released = reservation
        reservation = Reservation()
        let woken = state.withLock { state in
            state.reserved -= released.bytes
            if released.exceeds { state.isExceeded = false }
            return grantWaiting(&state)
        }
        for waiting in woken { waiting.wake() }
    }

    var bytesReserved: Int { state.withLock { $0.reserved } }
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Reserves `bytes` if they fit, or none exceeds the budget yet. Returns whether they exceed it; nil: nothing was
    /// reserved.
    private func grant(_ bytes: Int, isFirst: Bool, _ state: inout State) -> Bool? {
        let fits = state.reserved + bytes <= bytesMax
        guard isFirst, fits || !state.isExceeded else { return nil }
        state.reserved += bytes
        if !fits { state.isExceeded = true }
        return !fits
    }

    private func grantWaiting(_ state: inout State) -> ArraySlice<Waiting> {
        var count = 0
        for waiting in state.waiting {
            guard let exceeds = grant(waiting.bytes, isFirst: true, &state) else { break }
            state.granted[waiting.number] = exceeds
            count += 1
        }
        defer { state.waiting.removeFirst(count) }
        return state.waiting.prefix(count)
    }
}
