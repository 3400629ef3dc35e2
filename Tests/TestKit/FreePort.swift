import EventLoop
import Glibc
import Synchronization

/// TCP ports of the loopback address for the servers of a test.
public enum FreePort {
    /// Below the range of ports for outgoing connections on Linux (32768 and above), so that no connection takes a port
    /// between the search and its use. The start of the search depends on the process, so that two test runs do not
    /// race for the same ports.
    private static let range = 20_000..<32_000
    private static let next = Mutex(range.lowerBound + Int(getpid()) * 97 % range.count)

    /// A port without a listener at this moment; each port is returned once per process.
    public static func take() -> UInt16 {
        next.withLock { next in
            for _ in range {
                let port = UInt16(next)
                next = next + 1 < range.upperBound ? next + 1 : range.lowerBound
                if (try? Listener(address: .loopback(port: port), backlog: 1)) != nil { return port }
            }
            fatalError("no free TCP port from \(range.lowerBound) to \(range.upperBound - 1)")
        }
    }
}
