internal import CLinux
internal import Glibc
public import Values

/// A connected stream socket of one loop.
public final class Socket: ByteStream {
    public let remoteAddress: SocketAddress
    private let stream: DescriptorStream

    public var loop: Loop { stream.loop }

    private init(_ stream: DescriptorStream, remoteAddress: SocketAddress) {
        self.stream = stream
        self.remoteAddress = remoteAddress
    }

    /// Takes ownership of a connected descriptor.
    /// - Precondition: called on the loop.
    init(connected descriptor: Int32, remoteAddress: SocketAddress, on loop: Loop) throws(SystemError) {
        stream = try DescriptorStream(descriptor, on: loop)
        self.remoteAddress = remoteAddress
        disableDelay()
    }

    /// Connects to an address. Throws `.timedOut` at the deadline, and `.system` if the connection fails.
    /// - Precondition: called on `loop`.
    public static func connect(
        to address: SocketAddress, on loop: Loop, deadline: MonotonicInstant?
    ) async throws(StreamError) -> Socket {
        let stream: DescriptorStream
        do throws(SystemError) {
            let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            let descriptor = try Syscall.check(Glibc.socket(address.family, type, 0), "socket")
            stream = try DescriptorStream(descriptor, on: loop)
        } catch {
            throw .system(error)
        }
        let socket = Socket(stream, remoteAddress: address)
        do throws(StreamError) {
            try await socket.finishConnecting(deadline: deadline)
        } catch {
            socket.close()
            throw error
        }
        socket.disableDelay()
        return socket
    }

    private func finishConnecting(deadline: MonotonicInstant?) async throws(StreamError) {
        let descriptor = stream.descriptor
        let status = remoteAddress.withSockaddr { Glibc.connect(descriptor, $0, $1) }
        if status == 0 { return }
        guard errno == EINPROGRESS else { throw .system(SystemError("connect to", on: "\(remoteAddress)")) }
        try await stream.waitUntilWritable(deadline: deadline)
        var failure: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &length)
        guard failure == 0 else {
            throw .system(SystemError("connect to", on: "\(remoteAddress)", number: failure))
        }
    }

    /// Disables Nagle's algorithm: messages are written in one call, so waiting for more data would only delay them.
    private func disableDelay() {
        guard remoteAddress.family != AF_UNIX else { return }
        var on: Int32 = 1
        setsockopt(stream.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    public func read(
        into buffer: inout [UInt8], atMost: Int, deadline: MonotonicInstant?
    ) async throws(StreamError) -> Int {
        try await stream.read(into: &buffer, atMost: atMost, deadline: deadline)
    }

    public func write(_ bytes: [UInt8], deadline: MonotonicInstant?) async throws(StreamError) {
        try await stream.write(bytes, deadline: deadline)
    }

    /// Writes without waiting. Returns the number of bytes that the kernel accepted. For the last message of a layer
    /// above, sent in its `close`. Must not be called while a `write` waits.
    public func writeNow(_ bytes: [UInt8]) -> Int {
        stream.writeNow(bytes)
    }

    public func closeWriting() {
        guard !stream.isClosed else { return }
        shutdown(stream.descriptor, Int32(SHUT_WR))
    }

    public func close() {
        stream.close()
    }
}
