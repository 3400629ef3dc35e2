import COpenSSL

/// A complete, immutable `SSL_CTX`, from which sessions are created.
///
/// OpenSSL allows several threads to create sessions from one context at the same time.
final class SessionContext: @unchecked Sendable {
    let pointer: OpaquePointer

    private init(pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        SSL_CTX_free(pointer)
    }

    /// A context for servers, with a certificate and its key.
    static func serving(_ identity: ServerIdentity) throws(OpenSSLError) -> SessionContext {
        let context = SessionContext(pointer: try ContextCalls.new(TLS_server_method()))
        try applyProtocolRules(to: context.pointer)
        try ContextCalls.setCertificate(context.pointer, identity.certificate, chain: identity.chain)
        try ContextCalls.setPrivateKey(context.pointer, identity.privateKey)
        ContextCalls.selectHTTP11(context.pointer)
        return context
    }

    /// A context for clients that trusts the given certificates, or those of the system if nil.
    static func connecting(trusting certificates: [Certificate]?) throws(OpenSSLError) -> SessionContext {
        let context = SessionContext(pointer: try ContextCalls.new(TLS_client_method()))
        try applyProtocolRules(to: context.pointer)
        if let certificates {
            for certificate in certificates { try ContextCalls.trust(context.pointer, certificate) }
        } else {
            try ContextCalls.trustSystem(context.pointer)
        }
        ContextCalls.requireCertificate(context.pointer)
        try ContextCalls.offerHTTP11(context.pointer)
        return context
    }

    /// The rules for both sides: TLS 1.2 and 1.3, with forward secrecy and authenticated encryption only.
    private static func applyProtocolRules(to context: OpaquePointer) throws(OpenSSLError) {
        try ContextCalls.setVersions(context, from: TLS1_2_VERSION, to: TLS1_3_VERSION)
        // RFC 9325 section 4.2: no CBC, no static RSA, no finite-field Diffie-Hellman. TLS 1.3 has none of these.
        try ContextCalls.setTLS12Suites(context, "ECDHE+AESGCM:ECDHE+CHACHA20")
        // 112 bits: RSA keys of 2,048 bits or more, no SHA-1 signatures.
        ContextCalls.setSecurityLevel(context, 2)
        ContextCalls.setOptions(
            context,
            JQ_SSL_OP_NO_RENEGOTIATION | JQ_SSL_OP_NO_COMPRESSION | JQ_SSL_OP_CIPHER_SERVER_PREFERENCE
                | JQ_SSL_OP_PRIORITIZE_CHACHA)
        // The system's openssl.cnf may set this option, which would hide a truncated stream.
        ContextCalls.clearOptions(context, JQ_SSL_OP_IGNORE_UNEXPECTED_EOF)
        // An idle session frees its two record buffers of 17 KiB.
        ContextCalls.setMode(context, Int(SSL_MODE_RELEASE_BUFFERS) | Int(SSL_MODE_AUTO_RETRY))
        // Sessions are resumed by tickets, without memory in the server. A cache would take some KiB per session.
        ContextCalls.disableSessionCache(context)
    }
}
