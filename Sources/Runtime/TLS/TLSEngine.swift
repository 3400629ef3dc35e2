/// One TLS session without input and output: the caller moves ciphertext between it and the peer.
///
/// Made by `TLSServerContext.makeEngine` or `TLSClientContext.makeEngine`. After each call `takeCiphertext` may have
/// bytes for the peer, also after one that threw: the alert that tells the peer why.
///
///     handshake -- .finished --> read, write -- .endOfStream --> write -- closeWriting --> over
///
/// The two directions end apart from each other (RFC 8446 section 6.1): after the peer's close_notify one may still
/// write, and after `closeWriting` one may still read. An error ends both for good, and is thrown again by each
/// later call. One task at a time may use an engine.
public final class TLSEngine {
    /// The largest plaintext of one record, bytes (RFC 8446 section 5.1).
    static let recordByteCountMax = 16_384

    public enum HandshakeProgress: Hashable, Sendable {
        case finished, needsCiphertext
    }

    public enum ReadResult: Hashable, Sendable {
        /// So many bytes were appended, at least one.
        case bytes(Int)
        /// Nothing to read before more ciphertext is fed.
        case needsCiphertext
        /// The peer has ended its direction, properly.
        case endOfStream
    }

    private let session: OpaquePointer
    private let buffers = CiphertextBuffers()
    /// The name that a client demands of the server's certificate; nil in a server.
    private let demandedHost: String?
    private var isEstablished = false
    private var isWritingClosed = false
    private var failure: TLSError?

    /// - Parameter prepare: sets what is peculiar to this session before its first byte.
    init(
        context: SessionContext, demandedHost: String?,
        prepare: (OpaquePointer) throws(OpenSSLError) -> Void
    ) throws(OpenSSLError) {
        session = try SessionCalls.new(context.pointer)
        self.demandedHost = demandedHost
        SessionCalls.attach(session, try buffers.makeBIO())
        try prepare(session)
    }

    deinit {
        SessionCalls.free(session)
    }

    /// Hands over bytes that came from the peer, in any pieces.
    public func feed(_ ciphertext: consuming [UInt8]) {
        buffers.append(ciphertext)
    }

    /// Says that the peer's connection has ended: what was not closed properly is truncated.
    public func feedEnd() {
        buffers.end()
    }

    /// Whether `takeCiphertext` would give anything.
    public var hasCiphertext: Bool { buffers.hasOutgoing }

    /// All bytes that wait to be sent to the peer, in order; afterwards none wait.
    public func takeCiphertext() -> [UInt8] {
        buffers.takeOutgoing()
    }

    /// Takes the handshake as far as the ciphertext allows.
    public func handshake() throws(TLSError) -> HandshakeProgress {
        if let failure { throw failure }
        guard !isEstablished else { return .finished }
        switch SessionCalls.handshake(session) {
        case .done:
            isEstablished = true
            return .finished
        case .needsCiphertext:
            return .needsCiphertext
        case .endOfStream:
            throw fail(.handshakeFailed("the peer closed the session"))
        case .failed(let error):
            throw fail(handshakeFailure(error))
        }
    }

    /// Appends what can be read now, at most so many bytes (1 or more), to the buffer.
    public func read(into buffer: inout [UInt8], atMost byteCountMax: Int) throws(TLSError) -> ReadResult {
        precondition(isEstablished && byteCountMax > 0, "read before the handshake has finished, or of no bytes")
        var total = 0
        // After the first record another call is worth its while only if there is something left to look at.
        while total == 0 || (total < byteCountMax && hasMoreToRead) {
            switch readRecord(into: &buffer, atMost: byteCountMax - total) {
            case .done(let count): total += count
            case .needsCiphertext: return total > 0 ? .bytes(total) : .needsCiphertext
            case .endOfStream: return total > 0 ? .bytes(total) : .endOfStream
            case .failed(let error):
                let failure = failure ?? fail(sessionFailure(error))
                guard total > 0 else { throw failure }
                return .bytes(total)
            }
        }
        return .bytes(total)
    }

    /// Encrypts all the bytes. The ciphertext takes as much memory again: give large bodies piece by piece.
    public func write(_ bytes: Span<UInt8>) throws(TLSError) {
        precondition(isEstablished && !isWritingClosed, "write before the handshake has finished, or after the end")
        if let failure { throw failure }
        guard !bytes.isEmpty else { return }
        switch bytes.withUnsafeBytes({ SessionCalls.write(session, $0) }) {
        case .done: return
        case .needsCiphertext: throw fail(.sessionFailed("the peer began another handshake"))
        case .endOfStream: throw fail(.sessionFailed("the session is closed"))
        case .failed(let error): throw fail(sessionFailure(error))
        }
    }

    /// Ends this side's direction with close_notify; no effect before the handshake has finished, or twice.
    public func closeWriting() {
        guard isEstablished, !isWritingClosed, failure == nil else { return }
        isWritingClosed = true
        SessionCalls.sendCloseNotify(session)
    }

    /// `TLSv1.2` or `TLSv1.3`; meaningful after the handshake.
    public var protocolVersion: String { SessionCalls.protocolVersion(session) }

    /// The suite's name, such as `TLS_AES_256_GCM_SHA384`; meaningful after the handshake.
    public var cipherSuite: String { SessionCalls.cipherSuite(session) }

    /// What ALPN (RFC 7301) agreed on; nil when the peer did not ask.
    public var applicationProtocol: String? { SessionCalls.applicationProtocol(session) }

    private var hasMoreToRead: Bool { buffers.hasIncoming || SessionCalls.hasPlaintext(session) }

    private func readRecord(into buffer: inout [UInt8], atMost byteCountMax: Int) -> SessionOutcome {
        let byteCount = min(byteCountMax, TLSEngine.recordByteCountMax)
        return withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 16) { record in
            let outcome = SessionCalls.read(session, into: record)
            if case .done(let count) = outcome {
                buffer.append(contentsOf: UnsafeRawBufferPointer(rebasing: record[..<count]))
            }
            return outcome
        }
    }

    private func fail(_ error: TLSError) -> TLSError {
        failure = error
        return error
    }

    private func handshakeFailure(_ error: OpenSSLError) -> TLSError {
        if let demandedHost, error.isCertificateRefused {
            return .certificateRefused(
                host: demandedHost, CertificateProblem(verifyResult: SessionCalls.verifyResult(session)))
        }
        return .handshakeFailed(
            error.isUnexpectedEnd ? "the peer ended the connection in the middle of it" : error.cause)
    }

    private func sessionFailure(_ error: OpenSSLError) -> TLSError {
        error.isUnexpectedEnd ? .truncated : .sessionFailed(error.cause)
    }
}
