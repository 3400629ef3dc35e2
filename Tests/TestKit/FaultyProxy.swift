public import EventLoop
import Synchronization
import Values

/// A proxy for one server that simulates network failures. It runs on `TestLoop`.
public final class FaultyProxy: Sendable {
    public enum Fault: Sendable, Equatable {
        case none
        /// Bytes are read and dropped, in both directions; no connection is closed.
        case silence
        /// Requests are forwarded, and the connection is closed after this number of bytes of responses.
        case cutAnswers(afterBytes: Int)
    }

    public let port: UInt16
    private let target: SocketAddress
    private let listener: Listener
    private let state = Mutex(State())

    private struct State {
        var fault = Fault.none
        var connectDelay = Duration.zero
        var sockets: [Socket] = []
    }

    /// Starts listening. Call it on `TestLoop`.
    public init(to target: SocketAddress) throws(SystemError) {
        self.target = target
        listener = try Listener(address: .loopback(port: 0))
        port = listener.address.port ?? 0
        TestLoop.shared.spawn { await self.acceptAll() }
    }

    /// The behaviour of all connections from now on.
    public var fault: Fault {
        get { state.withLock { $0.fault } }
        set { state.withLock { $0.fault = newValue } }
    }

    /// Time that each connection from now on waits before it reaches the server.
    public var connectDelay: Duration {
        get { state.withLock { $0.connectDelay } }
        set { state.withLock { $0.connectDelay = newValue } }
    }

    /// Stops listening, and closes all connections. Call it on `TestLoop`.
    public func close() {
        listener.close { _ in }
        cutAll()
    }

    /// Closes all connections. Call it on `TestLoop`.
    public func cutAll() {
        let sockets = state.withLock { state in
            defer { state.sockets = [] }
            return state.sockets
        }
        for socket in sockets { socket.close() }
    }

    private func acceptAll() async {
        while let accepted = try? await listener.accept(on: TestLoop.shared) {
            guard let client = try? accepted.attach(to: TestLoop.shared) else { continue }
            TestLoop.shared.spawn { await self.serve(client) }
        }
    }

    private func serve(_ client: Socket) async {
        let server: Socket
        do {
            try await TestLoop.shared.sleep(for: connectDelay)
            server = try await Socket.connect(to: target, on: TestLoop.shared, deadline: .now() + .seconds(5))
        } catch {
            return client.close()
        }
        state.withLock { $0.sockets += [client, server] }
        TestLoop.shared.spawn { await self.pump(from: client, to: server, areAnswers: false) }
        await pump(from: server, to: client, areAnswers: true)
    }

    private func pump(from source: Socket, to sink: Socket, areAnswers: Bool) async {
        defer {
            source.close()
            sink.close()
        }
        var buffer: [UInt8] = []
        while let count = try? await source.read(into: &buffer, atMost: 65_536, deadline: nil), count > 0 {
            let passage = passage(of: count, areAnswers: areAnswers)
            let wrote: Void? = try? await sink.write(Array(buffer.prefix(passage.byteCount)), deadline: nil)
            guard wrote != nil, !passage.isLast else { return }
            buffer.removeAll(keepingCapacity: true)
        }
    }

    /// The number of bytes to forward, and whether the connection ends with them.
    private func passage(of count: Int, areAnswers: Bool) -> (byteCount: Int, isLast: Bool) {
        state.withLock { state in
            switch state.fault {
            case .silence:
                return (0, false)
            case .cutAnswers(let left) where areAnswers:
                state.fault = .cutAnswers(afterBytes: max(0, left - count))
                return (min(count, left), count >= left)
            case .none, .cutAnswers:
                return (count, false)
            }
        }
    }
}
