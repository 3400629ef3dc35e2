public import EventLoop
public import Values

/// A TLS session over a socket. Like the socket, it belongs to one loop, whose tasks use it.
///
/// It owns its socket from the start of the handshake, and closes it when the handshake fails. All TLS problems
/// are thrown as `.failed`, with the words of `TLSError`; only a connection that ends without close_notify is
/// `.disconnected`, never the end of the stream, so that a truncated message cannot pass for a whole one.
///
/// An idle stream holds no buffer. A reading one holds at most `ciphertextByteCountMax`, a writing one the
/// ciphertext of `pieceByteCountMax`, whatever the size of the message.
///
/// Why `@unchecked Sendable`: confined to the loop of the socket, which checks it.
public final class TLSStream: ByteStream, @unchecked Sendable {
    /// How much ciphertext is read at once: two full records and a little.
    private static let ciphertextByteCountMax = 33 * 1024
    /// How much plaintext is encrypted before it is handed to the kernel: four full records.
    private static let pieceByteCountMax = 4 * TLSEngine.recordByteCountMax
    /// How long close_notify may take to be handed over when one direction ends.
    private static let farewellWait = Duration.seconds(1)

    private let socket: Socket
    private let engine: TLSEngine
    private var isClosed = false
    private var isWritingClosed = false
    /// Ciphertext leaves in the order of its making, so one task at a time hands it to the socket: the writer, or
    /// the reader with an answer that the protocol asks for (RFC 8446 section 4.6.3, KeyUpdate).
    private var isFlushing = false
    private var flushTurns: [UnsafeContinuation<Void, Never>] = []
    /// Part of a record may have been lost: nothing that follows could be understood.
    private var flushFailure: StreamError?

    private init(_ socket: Socket, _ engine: TLSEngine) {
        self.socket = socket
        self.engine = engine
    }

    /// Does the handshake with a client that has connected.
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

    /// Does the handshake with the server that the socket is connected to.
    ///
    /// - Parameter host: whom the server's certificate must be made out to, see `TLSClientContext.makeEngine`.
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

    // MARK: What was agreed on

    public var remoteAddress: SocketAddress { socket.remoteAddress }

    /// `TLSv1.2` or `TLSv1.3`.
    public var protocolVersion: String { engine.protocolVersion }

    /// The suite's name, such as `TLS_AES_256_GCM_SHA384`.
    public var cipherSuite: String { engine.cipherSuite }

    /// What ALPN (RFC 7301) agreed on; nil when the peer does not know it.
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

    /// Says close_notify, and ends the connection in this direction. Not to be called while a write waits.
    public func closeWriting() {
        guard !isClosed, !isWritingClosed else { return }
        isWritingClosed = true
        engine.closeWriting()
        socket.loop.spawn { [self] in
            try? await flush(deadline: .now() + TLSStream.farewellWait)
            socket.closeWriting()
        }
    }

    /// Says close_notify if the kernel takes it at once, and closes the socket. Idempotent.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        engine.closeWriting()
        // In the middle of a write that waits, close_notify would have to wait behind the rest of it.
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
                // The alert tells the peer why.
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

    /// Hands over what the protocol itself has to say. A peer that takes it no more may still have sent data: the
    /// failure is kept for the next write.
    private func flushReplies(deadline: MonotonicInstant?) async {
        // A flush that is under way takes it along.
        guard engine.hasCiphertext, !isFlushing else { return }
        try? await flush(deadline: deadline)
    }

    private func flush(deadline: MonotonicInstant?) async throws(StreamError) {
        while isFlushing {
            await withUnsafeContinuation { flushTurns.append($0) }
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
        let turns = flushTurns
        flushTurns = []
        for turn in turns { turn.resume() }
    }
}

extension StreamError {
    /// A TLS problem as the reader or writer of a stream sees it.
    init(_ error: TLSError) {
        switch error {
        case .truncated: self = .disconnected
        default: self = .failed(error.description)
        }
    }
}
