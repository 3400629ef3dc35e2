internal import Synchronization

/// Bounds the memory that all bodies together take, so that a thousand slow uploads cannot eat the machine. What a
/// body holds is taken in steps as its bytes arrive, and given back as one when its request has been answered.
final class BodyBudget: Sendable {
    /// One step, so that a long body touches the shared counter seldom.
    static let stepBytes = 64 * 1024

    private let bytesMax: Int
    private let taken = Atomic<Int>(0)

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Whether `bytes` more could be had; they are then to be given back.
    func take(_ bytes: Int) -> Bool {
        let (_, total) = taken.wrappingAdd(bytes, ordering: .relaxed)
        if total <= bytesMax { return true }
        release(bytes)
        return false
    }

    func release(_ bytes: Int) {
        taken.wrappingSubtract(bytes, ordering: .relaxed)
    }

    var bytesTaken: Int { taken.load(ordering: .relaxed) }
}
