public import EventLoop
internal import Synchronization
public import Telemetry
public import Values

/// An HTTP/1.1 server on sockets.
///
/// The first loop accepts connections and distributes them round-robin over all loops. Each connection is one task of
/// its loop, which reads a head (`RequestParser`), finds the route (`Router`), reads the body, calls the handler,
/// writes the response, and repeats. Loops share the connection registry, the body budget and the metrics.
///
/// The server moves through three phases, in this order and without return: `serving`, `unready` (still serving, while
/// load balancers notice), `draining` (each response is the last of its connection). See `drain`.
///
/// All times are taken from the monotonic clock. Every read and write has a deadline that counts from the start of the
/// head, body or response, so that a client cannot extend it by sending single bytes. Memory is bounded per connection
/// and for all bodies together; `ServerLimits` lists all limits.
///
/// Failures: malformed input is answered, and the connection closed, because the start of the next message is unknown.
/// An error of a handler becomes a 500 without its cause, which is logged. A connection that breaks ends its task.
/// When `accept` fails (no file descriptors), the server waits and retries.
public final class Server: Sendable {
    /// Wraps a new socket in another stream, such as TLS, before the first request is read. Throws at the deadline.
    public typealias StreamUpgrade = @Sendable (Socket, _ deadline: MonotonicInstant) async throws -> any ByteStream

    enum Phase: UInt8, AtomicRepresentable {
        /// Followed by `unready`.
        case serving
        /// Still serving, but `isReady` is false. Followed by `draining`.
        case unready
        /// Accepts no new connection; each response is the last of its connection.
        case draining
    }

    struct OpenListener: Sendable {
        let listener: Listener
        let upgrade: StreamUpgrade?
    }

    let router: Router
    let limits: ServerLimits
    let serverLoops: [ServerLoop]
    let logger: Logger
    let deadlines: Deadlines
    let metrics: RequestMetrics
    let budget: BodyBudget
    let connections: OpenConnections
    let openListeners = Mutex<[OpenListener]>([])
    let phase = Atomic(Phase.serving)

    /// - Parameters:
    ///   - loops: one or more event loops. The first also accepts connections.
    ///   - metrics: registry for `http_requests_total` and `http_request_duration_seconds`.
    /// - Precondition: the limits are consistent with each other.
    public init(
        router: Router, limits: ServerLimits = ServerLimits(), loops: [Loop], metrics: MetricRegistry, logger: Logger
    ) {
        precondition(!loops.isEmpty, "a server needs a loop")
        limits.checkRelations()
        self.router = router
        self.limits = limits
        self.logger = logger
        serverLoops = loops.map { ServerLoop($0) }
        deadlines = Deadlines(limits)
        self.metrics = RequestMetrics(metrics, routes: router.routes)
        budget = BodyBudget(bytesMax: limits.bodyBytesInFlightMax)
        connections = OpenConnections(connectionsMax: limits.connectionsMax, refusalsMax: limits.refusalsMax)
    }

    /// Starts to listen on an address. May be called for several addresses.
    /// - Parameter upgrade: wraps each socket, for example in TLS; nil for plain HTTP.
    /// - Returns: the address, with the actual port if port 0 was requested.
    /// - Throws: the error of `socket`, `bind` or `listen`.
    @discardableResult
    public func listen(
        on address: SocketAddress, upgrade: StreamUpgrade? = nil
    ) throws(SystemError) -> SocketAddress {
        let listener = try Listener(address: address)
        openListeners.withLock { $0.append(OpenListener(listener: listener, upgrade: upgrade)) }
        serverLoops[0].loop.spawn { await self.accept(from: listener, upgrade: upgrade) }
        return listener.address
    }

    /// Whether the server should receive new requests, for a readiness probe. False from the start of a drain.
    public var isReady: Bool { phase.load(ordering: .relaxed) == .serving }

    var isDraining: Bool { phase.load(ordering: .relaxed) == .draining }

    /// Number of open connections.
    public var connectionCount: Int { connections.count }
}
