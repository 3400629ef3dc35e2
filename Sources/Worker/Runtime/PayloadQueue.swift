internal import Jobs
internal import Values

/// The attempts that wait for a payload which their lease left out, first in, first out. Pure.
///
/// A statement reads the payloads of the first ones, as many as fit the worker's memory
/// (`PayloadMemory`). When the first one does not fit, all wait until it fits: a large payload is never
/// overtaken for ever by smaller ones.
struct PayloadQueue {
    /// Maximum number of payloads of one statement.
    static let readsMax = 64
    /// Maximum number of bytes of one statement: what libpq and PostgreSQL hold besides `PayloadMemory`.
    static let readBytesMax = 4 * 1_048_576

    struct Read: Hashable {
        let leases: [HeldLease]
        let bytesMax: Int
        let atLeastOne: Bool
    }

    private var waiting = FIFO<HeldLease>()
    /// The length of the first payload, once it is known not to fit.
    private var firstBytes: Int?
    private var isReading = false

    /// Whether the first payload waits for memory.
    var isBlocked: Bool { firstBytes != nil }

    mutating func append(_ lease: HeldLease) {
        waiting.append(lease)
    }

    /// The attempt no longer waits.
    mutating func remove(_ lease: HeldLease) {
        if waiting.first == lease { firstBytes = nil }
        _ = waiting.removeFirst { $0 == lease }
    }

    /// The next statement; nil: one is under way, none waits, or none fits. `finished` follows each.
    mutating func nextRead(_ memory: PayloadMemory) -> Read? {
        guard !isReading, !waiting.isEmpty else { return nil }
        var bytesMax = min(memory.freeBytes, Self.readBytesMax)
        if let firstBytes {
            guard memory.admits(firstBytes) else { return nil }
            bytesMax = max(bytesMax, firstBytes)
        }
        isReading = true
        let leases = (0..<min(waiting.count, Self.readsMax)).map { waiting[$0] }
        return Read(leases: leases, bytesMax: bytesMax, atLeastOne: memory.holdsNothingLarge)
    }

    /// The statement is over.
    /// - Parameter rest: the first attempt whose payload it did not return, and the length of that, if it knows it.
    mutating func finished(rest: (lease: HeldLease, bytes: Int)? = nil) {
        isReading = false
        firstBytes = rest.flatMap { waiting.first == $0.lease ? $0.bytes : nil }
    }
}

/// The bytes of the payloads and results that a worker holds, and their limit. Pure.
///
/// Payloads that the lease statement returned count, but are never refused: they are small. A large payload is admitted
/// if it fits, or if nothing else large is held, so that every job can run, whatever the limit is.
struct PayloadMemory {
    let bytesMax: Int
    /// Payloads that came with their leases.
    private(set) var inlineBytes = 0
    /// Payloads that were read later, and results that are not written yet.
    private(set) var largeBytes = 0

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    var freeBytes: Int { max(0, bytesMax - inlineBytes - largeBytes) }
    var isFull: Bool { freeBytes == 0 }
    var holdsNothingLarge: Bool { largeBytes == 0 }

    /// Whether a large payload of this length may be held too.
    func admits(_ bytes: Int) -> Bool { bytes <= freeBytes || holdsNothingLarge }

    mutating func add(inline bytes: Int) { inlineBytes += bytes }
    mutating func add(large bytes: Int) { largeBytes += bytes }
}
