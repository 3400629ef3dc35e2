public import EventLoop
internal import Synchronization
public import Telemetry
public import Values

/// An HTTP/1.1 server on sockets. Connections are accepted on the first loop and dealt out to all of them in turn;
/// each is one task, which reads a request, runs its handler, writes the answer, and begins again.
///
/// Everything is bounded: see `ServerLimits`.
public final class Server: Sendable {
    /// Makes another stream of a socket before the first request is read, such as TLS. It throws at the deadline.
    public typealias StreamUpgrade = @Sendable (Socket, _ deadline: MonotonicInstant) async throws -> any ByteStream

    /// How far the end has come.
    enum Phase: UInt8, AtomicRepresentable {
        case serving
        /// Serves as ever, and tells whoever asks that it will not for long.
        case unready
        /// Takes no new connection, and ends each with its next answer.
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
    ///   - loops: at least one, running or about to run.
    ///   - metrics: where `http_requests_total` and `http_request_duration_seconds` are kept.
    /// - Precondition: the limits agree with each other.
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

    /// Begins to listen, and returns where: with the real port if 0 was asked for. May be called for several addresses.
    @discardableResult
    public func listen(
        on address: SocketAddress, upgrade: StreamUpgrade? = nil
    ) throws(SystemError) -> SocketAddress {
        let listener = try Listener(address: address)
        openListeners.withLock { $0.append(OpenListener(listener: listener, upgrade: upgrade)) }
        serverLoops[0].loop.spawn { await self.accept(from: listener, upgrade: upgrade) }
        return listener.address
    }

    /// Whether new requests are welcome: false from the beginning of a drain, for `/ready`.
    public var isReady: Bool { phase.load(ordering: .relaxed) == .serving }

    var isDraining: Bool { phase.load(ordering: .relaxed) == .draining }

    /// The number of connections that are open now.
    public var connectionCount: Int { connections.count }
}
