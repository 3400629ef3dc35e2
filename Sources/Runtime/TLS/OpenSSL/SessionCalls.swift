import COpenSSL

/// The result of a call that may need more ciphertext.
enum SessionOutcome {
    /// Success, with the number of bytes read or written.
    case done(Int)
    /// More ciphertext from the peer is required.
    case needsCiphertext
    /// The peer has sent close_notify.
    case endOfStream
    case failed(OpenSSLError)
}

/// One thin function for each C call on an `SSL`.
enum SessionCalls {
    static func new(_ context: OpaquePointer) throws(OpenSSLError) -> OpaquePointer {
        guard let session = SSL_new(context) else { throw OpenSSLError.takeQueue(after: "SSL_new") }
        return session
    }

    /// Sets the BIO of the session. The session owns it.
    static func attach(_ session: OpaquePointer, _ bio: OpaquePointer) {
        SSL_set_bio(session, bio, bio)
    }

    static func free(_ session: OpaquePointer) {
        SSL_free(session)
    }

    static func setAcceptState(_ session: OpaquePointer) {
        SSL_set_accept_state(session)
    }

    static func setConnectState(_ session: OpaquePointer) {
        SSL_set_connect_state(session)
    }

    /// Sets the server name indication (RFC 6066 section 3).
    static func setServerName(_ session: OpaquePointer, _ name: String) throws(OpenSSLError) {
        try succeed(jq_SSL_set_tlsext_host_name(session, name), "SSL_set_tlsext_host_name")
    }

    /// Requires a certificate for a DNS name. A wildcard matches one whole label, and the subject's common name is
    /// ignored (RFC 9525).
    static func requireHostName(_ session: OpaquePointer, _ name: String) throws(OpenSSLError) {
        SSL_set_hostflags(session, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT))
        try succeed(SSL_set1_host(session, name), "SSL_set1_host")
    }

    /// Requires a certificate for an IP address. Returns false, without an effect, if the text is not an IP address.
    static func requireAddress(_ session: OpaquePointer, _ text: String) -> Bool {
        let accepted = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), text) == 1
        ERR_clear_error()
        return accepted
    }

    static func handshake(_ session: OpaquePointer) -> SessionOutcome {
        ERR_clear_error()
        let status = SSL_do_handshake(session)
        return status == 1 ? .done(0) : outcome(session, status, "SSL_do_handshake")
    }

    static func read(_ session: OpaquePointer, into target: UnsafeMutableRawBufferPointer) -> SessionOutcome {
        ERR_clear_error()
        var count = 0
        let status = SSL_read_ex(session, target.baseAddress, target.count, &count)
        return status == 1 ? .done(count) : outcome(session, status, "SSL_read_ex")
    }

    /// Whether decrypted bytes of a record have not been read yet.
    static func hasPlaintext(_ session: OpaquePointer) -> Bool {
        SSL_pending(session) > 0
    }

    static func write(_ session: OpaquePointer, _ bytes: UnsafeRawBufferPointer) -> SessionOutcome {
        ERR_clear_error()
        var count = 0
        let status = SSL_write_ex(session, bytes.baseAddress, bytes.count, &count)
        return status == 1 ? .done(count) : outcome(session, status, "SSL_write_ex")
    }

    /// Sends close_notify, without waiting for that of the peer.
    static func sendCloseNotify(_ session: OpaquePointer) {
        SSL_shutdown(session)
        ERR_clear_error()
    }

    static func protocolVersion(_ session: OpaquePointer) -> String {
        String(cString: SSL_get_version(session))
    }

    static func cipherSuite(_ session: OpaquePointer) -> String {
        SSL_CIPHER_get_name(SSL_get_current_cipher(session)).map { String(cString: $0) } ?? "none"
    }

    static func applicationProtocol(_ session: OpaquePointer) -> String? {
        var name: UnsafePointer<UInt8>?
        var byteCount: UInt32 = 0
        SSL_get0_alpn_selected(session, &name, &byteCount)
        guard let name, byteCount > 0 else { return nil }
        return String(decoding: UnsafeBufferPointer(start: name, count: Int(byteCount)), as: UTF8.self)
    }

    /// `X509_V_OK`, or the first reason why the peer's certificate was not accepted.
    static func verifyResult(_ session: OpaquePointer) -> Int32 {
        Int32(truncatingIfNeeded: SSL_get_verify_result(session))
    }

    private static func outcome(_ session: OpaquePointer, _ status: Int32, _ call: String) -> SessionOutcome {
        switch SSL_get_error(session, status) {
        case SSL_ERROR_WANT_READ: .needsCiphertext
        case SSL_ERROR_ZERO_RETURN: .endOfStream
        default: .failed(OpenSSLError.takeQueue(after: call))
        }
    }

    private static func succeed(_ status: Int32, _ call: String) throws(OpenSSLError) {
        guard status == 1 else { throw OpenSSLError.takeQueue(after: call) }
    }
}
