internal import CLinux
internal import Glibc

/// A listening stream socket. The first call of `accept` binds it to an event loop.
public final class Listener: @unchecked Sendable {
    /// The bound address, with the actual port if port 0 was requested.
    public let address: SocketAddress
    private let descriptor: Int32
    /// Set by the first `accept`; confined to its loop.
    private var watch: Watch?
    private var arrivals: Waiter?
    private var isClosed = false

    /// Binds and listens. The file of a Unix socket must not exist yet.
    public init(address: SocketAddress, backlog: Int32 = 1024) throws(SystemError) {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = try Syscall.check(Glibc.socket(address.family, type, 0), "socket")
        do throws(SystemError) {
            // A restarted server can bind its port while old connections are in TIME_WAIT. Two servers still cannot
            // listen on one port.
            var on: Int32 = 1
            let size = socklen_t(MemoryLayout<Int32>.size)
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size)
            let bound = address.withSockaddr { Glibc.bind(descriptor, $0, $1) }
            try Syscall.check(bound, "listen on", on: "\(address)")
            try Syscall.check(Glibc.listen(descriptor, backlog), "listen on", on: "\(address)")
        } catch {
            Syscall.close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.address = Self.boundAddress(descriptor) ?? address
    }

    deinit {
        if !isClosed { Syscall.close(descriptor) }
    }

    private static func boundAddress(_ descriptor: Int32) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard getsockname(descriptor, address, &length) == 0 else { return nil }
                let bound = SocketAddress(address)
                if case .unix = bound { return nil }
                return bound
            }
        }
    }

    /// An accepted connection without a loop. Closed when dropped.
    public struct Connection: ~Copyable, Sendable {
        fileprivate let descriptor: OwnedDescriptor
        public let remoteAddress: SocketAddress

        /// Registers the connection with a loop.
        /// - Precondition: called on that loop.
        public consuming func attach(to loop: Loop) throws(SystemError) -> Socket {
            try Socket(connected: descriptor.release(), remoteAddress: remoteAddress, on: loop)
        }
    }

    /// Waits for the next connection. Must always be called on the same loop, by one task at a time.
    ///
    /// Throws `.closed` after `close`, and `.system` if descriptors (EMFILE, ENFILE) or memory run out. In that case
    /// the connection stays in the backlog, so the caller should wait before the next call.
    public func accept(on loop: Loop) async throws(StreamError) -> Connection {
        while true {
            guard !isClosed else { throw .closed }
            switch acceptNow() {
            case .success(let connection?): return connection
            case .success(nil): break
            case .failure(let error): throw .system(error)
            }
            try await waitForArrival(on: loop)
        }
    }

    /// The result of one `accept4` call: a connection, or nil if the backlog is empty.
    private enum Arrival: ~Copyable {
        case success(Connection?)
        case failure(SystemError)
    }

    private func acceptNow() -> Arrival {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let (descriptor, number, remote) = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                let descriptor = clinux_accept(self.descriptor, address, &length)
                let number = descriptor < 0 ? errno : 0
                return (descriptor, number, descriptor < 0 ? nil : SocketAddress(address))
            }
        }
        if descriptor >= 0 {
            return .success(
                Connection(descriptor: OwnedDescriptor(descriptor), remoteAddress: remote ?? .unix(path: "")))
        }
        switch number {
        // The peer disconnected while it was in the backlog (accept(2): treat network errors like EAGAIN).
        case EAGAIN, EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENOPROTOOPT:
            return .success(nil)
        default:
            return .failure(SystemError("accept", on: "\(address)", number: number))
        }
    }

    private func waitForArrival(on loop: Loop) async throws(StreamError) {
        if watch == nil {
            let waiter = Waiter(loop: loop)
            arrivals = waiter
            do throws(SystemError) {
                watch = try loop.watch(descriptor, .readable) { [unowned self] _ in
                    // Level-triggered: pause until the task has accepted the whole backlog.
                    watch?.setInterest([])
                    waiter.wake(.ready)
                }
            } catch {
                throw .system(error)
            }
        } else {
            watch?.setInterest(.readable)
        }
        try await arrivals?.wait(until: nil)
    }

    /// Stops listening. First accepts the connections in the backlog, so that none of them is reset, and passes each to
    /// `handler`. Must be called on the loop that accepts.
    public func close(accepting handler: (consuming Connection) -> Void) {
        guard !isClosed else { return }
        while case .success(let connection?) = acceptNow() { handler(connection) }
        isClosed = true
        watch?.cancel()
        watch = nil
        Syscall.close(descriptor)
        arrivals?.wake(.closed)
    }
}
