internal import Glibc

/// Random numbers of the kernel (getentropy(3)), fetched 32 at a time: `SystemRandomNumberGenerator` makes a system
/// call for each, which was one in twenty of the microseconds that creating a job costs.
public struct KernelRandom: RandomNumberGenerator {
    /// The most that getentropy gives.
    private static let bytesAtOnce = 256

    private var words = [UInt64](repeating: 0, count: bytesAtOnce / 8)
    private var used = bytesAtOnce / 8

    public init() {}

    public mutating func next() -> UInt64 {
        if used == words.count { fetch() }
        defer { used += 1 }
        return words[used]
    }

    private mutating func fetch() {
        let status = getentropy(&words, Self.bytesAtOnce)
        precondition(status == 0, "getentropy: \(String(cString: strerror(errno)))")
        used = 0
    }
}
