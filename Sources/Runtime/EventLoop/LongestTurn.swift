internal import Synchronization
internal import Values

/// The longest turn of a loop in the current minute and the one before it. The loop writes, any thread reads.
final class LongestTurn: Sendable {
    private static let windowNanoseconds: Int64 = 60_000_000_000

    private let window = Atomic<Int64>(0)
    private let current = Atomic<Int64>(0)
    private let previous = Atomic<Int64>(0)

    /// A turn of `nanoseconds` ended. Called by the loop only, in each turn: two loads in the usual case.
    func ended(at instant: MonotonicInstant, after nanoseconds: Int64) {
        let number = instant.nanoseconds / Self.windowNanoseconds
        let last = window.load(ordering: .relaxed)
        if number != last {
            previous.store(number == last + 1 ? current.load(ordering: .relaxed) : 0, ordering: .relaxed)
            current.store(nanoseconds, ordering: .relaxed)
            window.store(number, ordering: .relaxed)
        } else if nanoseconds > current.load(ordering: .relaxed) {
            current.store(nanoseconds, ordering: .relaxed)
        }
    }

    /// Without the windows that are over, if the loop has waited since.
    func longest(at instant: MonotonicInstant) -> Duration {
        let age = instant.nanoseconds / Self.windowNanoseconds - window.load(ordering: .relaxed)
        let current = age <= 1 ? current.load(ordering: .relaxed) : 0
        let previous = age <= 0 ? previous.load(ordering: .relaxed) : 0
        return .nanoseconds(max(current, previous))
    }
}
