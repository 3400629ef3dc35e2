public import EventLoop
internal import Synchronization
public import TLS
public import Values

/// An HTTP/1.1 client of one loop, whose tasks use it. Connections are kept and used again. It follows no redirection
/// and keeps no cookie. A caller that must not be led to inner addresses checks them itself, and gives the one that it
/// has checked in `Origin.address`.
public final class Client: Sendable {
    /// Opens a connection to an origin. It throws at the deadline.
    public typealias Connector =
        @Sendable (Origin, Loop, _ deadline: MonotonicInstant) async throws -> any ByteStream

    private let loop: Loop
    private let limits: ClientLimits
    private let connector: Connector
    private let idle: Mutex<IdleConnections>

    /// - Precondition: the limits agree with each other.
    public init(on loop: Loop, limits: ClientLimits = ClientLimits(), connector: @escaping Connector) {
        limits.checkRelations()
        self.loop = loop
        self.limits = limits
        self.connector = connector
        idle = Mutex(IdleConnections(limits: limits))
    }

    /// A client that speaks plain HTTP and, with `tls`, HTTPS.
    public convenience init(on loop: Loop, limits: ClientLimits = ClientLimits(), tls: TLSClientContext? = nil) {
        self.init(on: loop, limits: limits) { origin, loop, deadline in
            let socket = try await Self.connect(to: origin, on: loop, deadline: deadline)
            guard origin.isSecure else { return socket }
            guard let tls else {
                socket.close()
                throw StreamError.failed("this client has no TLS")
            }
            return try await TLSStream.connect(over: socket, context: tls, host: origin.host, deadline: deadline)
        }
    }

    /// Connects to the origin's address, or to the first address of its host that answers.
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

    /// Sends a request and reads its answer. Call it on the client's loop.
    ///
    /// A kept connection may turn out to be closed by the server. A request that may be repeated is then sent once
    /// more on a new one. When the task is cancelled the connection is closed, and `.disconnected` is thrown.
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
                guard case .disconnected = error, !reader.hasBegun, request.mayBeRepeated else { throw error }
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

    /// Closes the connections that are idle now.
    public func closeIdle() {
        loop.preconditionCurrent()
        for connection in idle.withLock({ $0.removeAll() }) { connection.stream.close() }
    }

    private func exchange(
        _ bytes: [UInt8], _ method: Method, _ origin: Origin, _ reader: inout ResponseReader,
        _ stream: any ByteStream
    ) async throws(ClientError) -> ClientResponse {
        // Read and written on the loop only: the cancellation of an exchange that has ended meanwhile must not close a
        // connection that another one uses.
        let isUnderWay = Mutex(true)
        let result = await withTaskCancellationHandler {
            await sendAndRead(bytes, method, &reader, stream)
        } onCancel: {
            loop.execute {
                if isUnderWay.withLock(\.self) { stream.close() }
            }
        }
        isUnderWay.withLock { $0 = false }
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
            // The server may have answered before it had read all (413), and its answer is worth more than this error.
            return
        } catch {
            throw ClientError(error)
        }
    }

    // MARK: Idle connections

    /// A kept connection that the server has not closed.
    private func takeIdle(_ origin: Origin) async -> ClientConnection? {
        while let connection = idle.withLock({ $0.take(origin) }) {
            let age = MonotonicInstant.now() - connection.idleSince
            if age < limits.probeAfter { return connection }
            if age < limits.idleTimeout, await connection.isQuiet() { return connection }
            connection.stream.close()
        }
        return nil
    }

    private func keep(_ stream: any ByteStream, _ origin: Origin) {
        let connection = ClientConnection(stream, idleSince: .now())
        for surplus in idle.withLock({ $0.keep(connection, for: origin) }) { surplus.stream.close() }
    }
}

extension Method {
    /// Whether sending it twice means no more than sending it once (RFC 9110 section 9.2.2).
    var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace, .query: true
        case .post, .patch, .connect: false
        }
    }
}
