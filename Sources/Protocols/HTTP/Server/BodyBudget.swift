internal import Synchronization

/// Limits the memory of all request bodies together, so that a thousand slow uploads cannot exhaust it. A connection
/// reserves memory in steps while a body arrives, and releases all of it when the request has been answered.
final class BodyBudget: Sendable {
    /// Size of one reservation. Large, so that a long body rarely touches the shared counter.
    static let stepBytes = 64 * 1024

    private let bytesMax: Int
    private let reserved = Atomic<Int>(0)

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Reserves `bytes` more, to be released later. Returns false, and reserves nothing, if the budget is exhausted.
    func reserve(_ bytes: Int) -> Bool {
        let (_, total) = reserved.wrappingAdd(bytes, ordering: .relaxed)
        if total <= bytesMax { return true }
        release(bytes)
        return false
    }

    func release(_ bytes: Int) {
        reserved.wrappingSubtract(bytes, ordering: .relaxed)
    }

    var bytesReserved: Int { reserved.load(ordering: .relaxed) }
}
