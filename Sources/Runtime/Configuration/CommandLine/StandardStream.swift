internal import Glibc
internal import Synchronization

/// A standard stream for the output of command line programs. Not for logs, because writing blocks until the reader
/// reads.
public enum StandardStream: Int32, Sendable {
    case output = 1
    case error = 2

    private static let failures = Atomic(0)

    /// Whether a text was not written as a whole: to a closed pipe, or a full disk. A command has failed then.
    public static var hasLostOutput: Bool { failures.load(ordering: .relaxed) > 0 }

    /// Writes a text. Whether it was lost, `hasLostOutput` says.
    public func write(_ text: String) {
        var rest = Array(text.utf8)
        while !rest.isEmpty {
            let count = Glibc.write(rawValue, rest, rest.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                Self.failures.add(1, ordering: .relaxed)
                return
            }
            rest.removeFirst(count)
        }
    }
}
