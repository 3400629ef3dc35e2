public import EventLoop
internal import Synchronization
public import TLS
public import Values

/// An HTTP/1.1 client for the tasks of one event loop. It reuses idle connections, follows no redirects and stores no
/// cookies. A caller that must not connect to internal addresses resolves and checks the host itself, and passes the
/// checked address in `Origin.address`.
public final class Client: Sendable {
    /// Opens a connection to an origin. Throws at the deadline.
    public typealias Connector =
        @Sendable (Origin, Loop, _ deadline: MonotonicInstant) async throws -> any ByteStream

    private let loop: Loop
    private let limits: ClientLimits
    private let connector: Connector
    private let idle: Mutex<IdleConnections>

    /// A client with a connector of its own.
    /// - Precondition: the limits are consistent with each other.
    public init(on loop: Loop, limits: ClientLimits = ClientLimits(), connector: @escaping Connector) {
        limits.checkRelations()
        self.loop = loop
        self.limits = limits
        self.connector = connector
        idle = Mutex(IdleConnections(limits: limits))
    }

    /// A client for plain HTTP and, with `tls`, for HTTPS.
    public convenience init(on loop: Loop, limits: ClientLimits = ClientLimits(), tls: TLSClientContext? = nil) {
        self.init(on: loop, limits: limits) { origin, loop, deadline in
            let socket = try await Self.connect(to: origin, on: loop, deadline: deadline)
            guard origin.isSecure else { return socket }
            guard let tls else {
                socket.close()
                throw StreamError.failed("this client does not support https")
            }
            return try await TLSStream.connect(over: socket, context: tls, host: origin.host, deadline: deadline)
        }
    }

    /// Connects to the origin's address, or to the first reachable address of its host.
    private static func connect(
        to origin: Origin, on loop: Loop, deadline: MonotonicInstant
    ) async throws -> Socket {
        if let address = origin.address { return try await Socket.connect(to: address, on: loop, deadline: deadline) }
        let addresses = try await SocketAddress.resolve(host: origin.host, port: origin.port)
        var failure = StreamError.failed("\(origin.host) has no address")
        for address in addresses {
            do throws(StreamError) {
                return try await Socket.connect(to: address, on: loop, deadline: deadline)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    /// Sends a request and reads the response.
    ///
    /// The server may have closed an idle connection. A request that may be repeated is then sent once more, on a new
    /// connection. If the task is cancelled, the connection is closed and `.disconnected` is thrown.
    /// - Precondition: called on the client's loop.
    public func send(
        _ request: ClientRequest, to origin: Origin, deadline: MonotonicInstant
    ) async throws(ClientError) -> ClientResponse {
        loop.preconditionCurrent()
        let bytes = try request.bytes(for: origin)
        if let connection = await takeIdle(origin) {
            var reader = ResponseReader(connection.stream, limits: limits, deadline: deadline)
            do throws(ClientError) {
                return try await exchange(bytes, request.method, origin, &reader, connection.stream)
            } catch {
                guard case .disconnected = error, !reader.hasReceivedBytes, request.mayBeRepeated else { throw error }
            }
        }
        let stream: any ByteStream
        do {
            stream = try await connector(origin, loop, deadline)
        } catch {
            throw error as? StreamError == .timedOut ? .timedOut : .notConnected("\(error)")
        }
        var reader = ResponseReader(stream, limits: limits, deadline: deadline)
        return try await exchange(bytes, request.method, origin, &reader, stream)
    }

    /// Closes the idle connections.
    /// - Precondition: called on the client's loop.
    public func closeIdle() {
        loop.preconditionCurrent()
        for connection in idle.withLock({ $0.removeAll() }) { connection.stream.close() }
    }

    private func exchange(
        _ bytes: [UInt8], _ method: Method, _ origin: Origin, _ reader: inout ResponseReader,
        _ stream: any ByteStream
    ) async throws(ClientError) -> ClientResponse {
        // A cancellation that arrives after the end of this exchange must not close a connection that another one uses.
        // Accessed on the loop only.
        let isInProgress = Mutex(true)
        let result = await withTaskCancellationHandler {
            await sendAndRead(bytes, method, &reader, stream)
        } onCancel: {
            loop.execute {
                if isInProgress.withLock(\.self) { stream.close() }
            }
        }
        isInProgress.withLock { $0 = false }
        if case .success = result, reader.mayReuse { keep(stream, origin) } else { stream.close() }
        return try result.get()
    }

    private func sendAndRead(
        _ bytes: [UInt8], _ method: Method, _ reader: inout ResponseReader, _ stream: any ByteStream
    ) async -> Result<ClientResponse, ClientError> {
        do throws(ClientError) {
            try await write(bytes, to: stream, deadline: reader.deadline)
            return .success(try await reader.read(answering: method))
        } catch {
            return .failure(error)
        }
    }

    private func write(
        _ bytes: [UInt8], to stream: any ByteStream, deadline: MonotonicInstant
    ) async throws(ClientError) {
        do throws(StreamError) {
            try await stream.write(bytes, deadline: deadline)
        } catch .disconnected {
            // The server may have responded before it read the whole request (413). That response is read next.
            return
        } catch {
            throw ClientError(error)
        }
    }

    // MARK: Idle connections

    /// An idle connection that the server has not closed; nil without one.
    private func takeIdle(_ origin: Origin) async -> ClientConnection? {
        while let connection = idle.withLock({ $0.take(origin) }) {
            let age = MonotonicInstant.now() - connection.idleSince
            if age < limits.probeAfter { return connection }
            if age < limits.idleTimeout, await connection.isReusable() { return connection }
            connection.stream.close()
        }
        return nil
    }

    private func keep(_ stream: any ByteStream, _ origin: Origin) {
        let connection = ClientConnection(stream, idleSince: .now())
        for evicted in idle.withLock({ $0.keep(connection, for: origin) }) { evicted.stream.close() }
    }
}

extension Method {
    /// Whether the effect of sending the request twice is that of sending it once (RFC 9110 section 9.2.2).
    var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace, .query: true
        case .post, .patch, .connect: false
        }
    }
}
