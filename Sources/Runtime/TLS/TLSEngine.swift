/// A TLS session without input and output: the caller moves ciphertext between the engine and the peer.
///
/// Created by `TLSServerContext.makeEngine` or `TLSClientContext.makeEngine`. The caller passes received ciphertext to
/// `feed`, and sends the result of `takeCiphertext` after each call. It must do so even after an error, because the
/// ciphertext then contains the alert for the peer.
///
/// States:
///
///     handshake --.finished--> open --read returns .endOfStream--> receiving side closed --closeWriting--> closed
///                                \--closeWriting--> sending side closed --read returns .endOfStream--> closed
///
/// The two directions end independently (RFC 8446 section 6.1): writing stays possible after the peer's close_notify,
/// and reading after `closeWriting`. An error ends both directions, and every later call throws it again. An end of the
/// connection without close_notify is an error (`truncated`), never the end of the stream.
///
/// The engine has no clock: deadlines are those of the caller's reads and writes. It is used by one task at a time.
public final class TLSEngine {
    /// Maximum length of the plaintext of one record, in bytes (RFC 8446 section 5.1).
    static let recordByteCountMax = 16_384

    public enum HandshakeProgress: Hashable, Sendable {
        case finished, needsCiphertext
    }

    public enum ReadResult: Hashable, Sendable {
        /// Number of bytes appended; 1 or more.
        case bytes(Int)
        /// No plaintext until more ciphertext is fed.
        case needsCiphertext
        /// The peer has closed its direction with close_notify.
        case endOfStream
    }

    private let session: OpaquePointer
    private let buffers = CiphertextBuffers()
    /// The host for which the server's certificate must be issued; nil in a server.
    private let expectedHost: String?
    private var isEstablished = false
    private var isWritingClosed = false
    private var failure: TLSError?

    /// - Parameter prepare: configures the session before its first byte.
    init(
        context: SessionContext, expectedHost: String?,
        prepare: (OpaquePointer) throws(OpenSSLError) -> Void
    ) throws(OpenSSLError) {
        session = try SessionCalls.new(context.pointer)
        self.expectedHost = expectedHost
        SessionCalls.attach(session, try buffers.makeBIO())
        try prepare(session)
    }

    deinit {
        SessionCalls.free(session)
    }

    /// Passes received bytes to the engine, in pieces of any size.
    public func feed(_ ciphertext: consuming [UInt8]) {
        buffers.append(ciphertext)
    }

    /// Signals the end of the peer's connection. Without a preceding close_notify, `read` then throws `truncated`.
    public func feedEnd() {
        buffers.end()
    }

    /// Whether `takeCiphertext` would return any bytes.
    public var hasCiphertext: Bool { buffers.hasOutgoing }

    /// Removes and returns all bytes to be sent to the peer, in order.
    public func takeCiphertext() -> [UInt8] {
        buffers.takeOutgoing()
    }

    /// Continues the handshake as far as the received ciphertext allows.
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

    /// Appends available plaintext to `buffer`, up to `byteCountMax` bytes.
    /// - Precondition: the handshake has finished, and `byteCountMax` is 1 or more.
    public func read(into buffer: inout [UInt8], atMost byteCountMax: Int) throws(TLSError) -> ReadResult {
        precondition(isEstablished && byteCountMax > 0, "read before the end of the handshake, or of 0 bytes")
        var total = 0
        // After the first record, OpenSSL is called again only if there is more to decrypt or to copy.
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

    /// Encrypts all bytes. The ciphertext takes as much memory as the bytes, so large bodies should be written in
    /// pieces.
    /// - Precondition: the handshake has finished, and `closeWriting` was not called.
    public func write(_ bytes: Span<UInt8>) throws(TLSError) {
        precondition(isEstablished && !isWritingClosed, "write before the end of the handshake, or after closeWriting")
        if let failure { throw failure }
        guard !bytes.isEmpty else { return }
        switch bytes.withUnsafeBytes({ SessionCalls.write(session, $0) }) {
        case .done: return
        case .needsCiphertext: throw fail(.sessionFailed("the peer started another handshake"))
        case .endOfStream: throw fail(.sessionFailed("the session is closed"))
        case .failed(let error): throw fail(sessionFailure(error))
        }
    }

    /// Closes this side's direction with close_notify. No effect before the end of the handshake, or if called again.
    public func closeWriting() {
        guard isEstablished, !isWritingClosed, failure == nil else { return }
        isWritingClosed = true
        SessionCalls.sendCloseNotify(session)
    }

    /// `TLSv1.2` or `TLSv1.3`. Valid after the handshake.
    public var protocolVersion: String { SessionCalls.protocolVersion(session) }

    /// Name of the cipher suite, such as `TLS_AES_256_GCM_SHA384`. Valid after the handshake.
    public var cipherSuite: String { SessionCalls.cipherSuite(session) }

    /// The protocol negotiated by ALPN (RFC 7301); nil if the peer does not use ALPN.
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
        if let expectedHost, error.isCertificateRefused {
            return .certificateRefused(
                host: expectedHost, CertificateProblem(verifyResult: SessionCalls.verifyResult(session)))
        }
        return .handshakeFailed(
            error.isUnexpectedEnd ? "the peer closed the connection during the handshake" : error.cause)
    }

    private func sessionFailure(_ error: OpenSSLError) -> TLSError {
        error.isUnexpectedEnd ? .truncated : .sessionFailed(error.cause)
    }
}
