public import EventLoop
public import Values

/// A TLS session over a socket. Like the socket, it belongs to one event loop and is used by the tasks of that loop.
///
/// The stream owns the socket from the start of the handshake, and closes it if the handshake fails. TLS errors are
/// thrown as `.failed` with the text of `TLSError`. A connection that ends without close_notify throws `.disconnected`
/// instead of ending the stream, so that a truncated message cannot be taken for a complete one.
///
/// An idle stream has no buffers. A read takes up to `ciphertextByteCountMax` of memory, a write the ciphertext of
/// `pieceByteCountMax`, regardless of the size of the message.
///
/// `@unchecked Sendable`, because it is confined to the loop of the socket, which checks its use.
public final class TLSStream: ByteStream, @unchecked Sendable {
    /// Maximum number of bytes per read from the socket: two full records and their overhead.
    private static let ciphertextByteCountMax = 33 * 1024
    /// Maximum number of plaintext bytes encrypted per write to the socket: four full records.
    private static let pieceByteCountMax = 4 * TLSEngine.recordByteCountMax
    /// Time for sending close_notify when one direction is closed.
    private static let closeNotifyTimeout = Duration.seconds(1)

    private let socket: Socket
    private let engine: TLSEngine
    private var isClosed = false
    private var isWritingClosed = false
    /// Records must be sent in the order of their encryption, so one task at a time writes to the socket: a writer, or
    /// a reader with a reply that the protocol requires (KeyUpdate, RFC 8446 section 4.6.3).
    private var isFlushing = false
    private var flushWaiters: [UnsafeContinuation<Void, Never>] = []
    /// The first failed flush. Part of a record may be missing, so the peer could not decrypt any later one.
    private var flushFailure: StreamError?

    private init(_ socket: Socket, _ engine: TLSEngine) {
        self.socket = socket
        self.engine = engine
    }

    /// Performs the handshake with a client.
    public static func accept(
        _ socket: Socket, context: TLSServerContext, deadline: MonotonicInstant?
    ) async throws(StreamError) -> TLSStream {
        let engine: TLSEngine
        do throws(TLSError) {
            engine = try context.makeEngine()
        } catch {
            socket.close()
            throw StreamError(error)
        }
        return try await established(socket, engine, deadline: deadline)
    }

    /// Performs the handshake with the server to which the socket is connected.
    ///
    /// - Parameter host: the host for which the server's certificate must be issued, see `TLSClientContext.makeEngine`.
    public static func connect(
        over socket: Socket, context: TLSClientContext, host: String, deadline: MonotonicInstant?
    ) async throws(StreamError) -> TLSStream {
        let engine: TLSEngine
        do throws(TLSError) {
            engine = try context.makeEngine(host: host)
        } catch {
            socket.close()
            throw StreamError(error)
        }
        return try await established(socket, engine, deadline: deadline)
    }

    private static func established(
        _ socket: Socket, _ engine: TLSEngine, deadline: MonotonicInstant?
    ) async throws(StreamError) -> TLSStream {
        let stream = TLSStream(socket, engine)
        do throws(StreamError) {
            try await stream.handshake(deadline: deadline)
        } catch {
            socket.close()
            throw error
        }
        return stream
    }

    // MARK: Session parameters

    public var remoteAddress: SocketAddress { socket.remoteAddress }

    /// `TLSv1.2` or `TLSv1.3`.
    public var protocolVersion: String { engine.protocolVersion }

    /// Name of the cipher suite, such as `TLS_AES_256_GCM_SHA384`.
    public var cipherSuite: String { engine.cipherSuite }

    /// The protocol negotiated by ALPN (RFC 7301); nil if the peer does not use ALPN.
    public var applicationProtocol: String? { engine.applicationProtocol }

    // MARK: ByteStream

    public func read(
        into buffer: inout [UInt8], atMost: Int, deadline: MonotonicInstant?
    ) async throws(StreamError) -> Int {
        while true {
            guard !isClosed else { throw .closed }
            let result: TLSEngine.ReadResult
            do throws(TLSError) {
                result = try engine.read(into: &buffer, atMost: atMost)
            } catch {
                await flushReplies(deadline: deadline)
                throw StreamError(error)
            }
            await flushReplies(deadline: deadline)
            switch result {
            case .bytes(let count): return count
            case .endOfStream: return 0
            case .needsCiphertext: try await receive(deadline: deadline)
            }
        }
    }

    public func write(_ bytes: [UInt8], deadline: MonotonicInstant?) async throws(StreamError) {
        var offset = 0
        while offset < bytes.count {
            guard !isClosed, !isWritingClosed else { throw .closed }
            let end = min(offset + TLSStream.pieceByteCountMax, bytes.count)
            do throws(TLSError) {
                try engine.write(bytes.span.extracting(offset..<end))
            } catch {
                throw StreamError(error)
            }
            offset = end
            try await flush(deadline: deadline)
        }
    }

    /// Sends close_notify, then closes the sending side of the socket. Must not be called while a write waits.
    public func closeWriting() {
        guard !isClosed, !isWritingClosed else { return }
        isWritingClosed = true
        engine.closeWriting()
        socket.loop.spawn { [self] in
            try? await flush(deadline: .now() + TLSStream.closeNotifyTimeout)
            socket.closeWriting()
        }
    }

    /// Sends close_notify if the kernel accepts it without waiting, and closes the socket. Idempotent.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        engine.closeWriting()
        // During a waiting write, close_notify could only follow the rest of that write.
        if engine.hasCiphertext, !isFlushing, flushFailure == nil {
            _ = socket.writeNow(engine.takeCiphertext())
        }
        socket.close()
    }

    // MARK: Moving ciphertext

    private func handshake(deadline: MonotonicInstant?) async throws(StreamError) {
        while true {
            let progress: TLSEngine.HandshakeProgress
            do throws(TLSError) {
                progress = try engine.handshake()
            } catch {
                // Sends the alert.
                await flushReplies(deadline: deadline)
                throw StreamError(error)
            }
            try await flush(deadline: deadline)
            if progress == .finished { return }
            try await receive(deadline: deadline)
        }
    }

    private func receive(deadline: MonotonicInstant?) async throws(StreamError) {
        var ciphertext: [UInt8] = []
        let count = try await socket.read(
            into: &ciphertext, atMost: TLSStream.ciphertextByteCountMax, deadline: deadline)
        if count == 0 {
            engine.feedEnd()
        } else {
            engine.feed(ciphertext)
        }
    }

    /// Sends the messages of the protocol itself. A failure is stored for the next write and not thrown, because the
    /// peer may still have sent data.
    private func flushReplies(deadline: MonotonicInstant?) async {
        // A flush in progress sends them too.
        guard engine.hasCiphertext, !isFlushing else { return }
        try? await flush(deadline: deadline)
    }

    private func flush(deadline: MonotonicInstant?) async throws(StreamError) {
        while isFlushing {
            await withUnsafeContinuation { flushWaiters.append($0) }
        }
        isFlushing = true
        defer { endFlush() }
        while flushFailure == nil, engine.hasCiphertext {
            do throws(StreamError) {
                try await socket.write(engine.takeCiphertext(), deadline: deadline)
            } catch {
                flushFailure = error
            }
        }
        if let flushFailure { throw flushFailure }
    }

    private func endFlush() {
        isFlushing = false
        let waiters = flushWaiters
        flushWaiters = []
        for waiter in waiters { waiter.resume() }
    }
}

extension StreamError {
    /// The stream error for a TLS error.
    init(_ error: TLSError) {
        switch error {
        case .truncated: self = .disconnected
        default: self = .failed(error.description)
        }
    }
}
