internal import Glibc

/// Where a command line program speaks to people. Not for logs: writing waits for whoever reads.
public enum StandardStream: Int32, Sendable {
    case output = 1
    case error = 2

    /// Writes all of `text`, unless the reader has gone.
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
