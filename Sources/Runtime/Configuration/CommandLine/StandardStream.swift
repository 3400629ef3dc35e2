internal import Glibc

/// A standard stream for the output of command line programs. Not for logs, because writing blocks until the reader
/// reads.
public enum StandardStream: Int32, Sendable {
    case output = 1
    case error = 2

    /// Writes a text. An error, such as a closed pipe, is ignored.
    public func write(_ text: String) {
        var rest = Array(text.utf8)
        while !rest.isEmpty {
            let count = Glibc.write(rawValue, rest, rest.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            rest.removeFirst(count)
        }
    }
}
