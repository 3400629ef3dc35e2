import Synchronization
import Values

/// The actions of a run with their instants, for the analysis of a failure.
final class ChaosHistory: Sendable, CustomStringConvertible {
    let seed: UInt64
    private let start = MonotonicInstant.now()
    private let lines = Mutex<[String]>([])

    init(seed: UInt64) {
        self.seed = seed
    }

    func add(_ what: String) {
        let seconds = (MonotonicInstant.now() - start) / .seconds(1)
        let milliseconds = Int(seconds * 1_000)
        lines.withLock { $0.append("  \(milliseconds) ms: \(what)") }
    }

    var description: String {
        "seed \(seed) (again: make chaos SEED=\(seed))\n" + lines.withLock { $0.joined(separator: "\n") }
    }
}
