import COpenSSL

/// One thin function for each C call on an `SSL_CTX`.
enum ContextCalls {
    static func new(_ method: OpaquePointer?) throws(OpenSSLError) -> OpaquePointer {
        guard let context = SSL_CTX_new(method) else { throw OpenSSLError.takeQueue(after: "SSL_CTX_new") }
        return context
    }

    static func setVersions(_ context: OpaquePointer, from lowest: Int32, to highest: Int32) throws(OpenSSLError) {
        try succeed(jq_SSL_CTX_set_min_proto_version(context, lowest), "SSL_CTX_set_min_proto_version")
        try succeed(jq_SSL_CTX_set_max_proto_version(context, highest), "SSL_CTX_set_max_proto_version")
    }

    static func setTLS12Suites(_ context: OpaquePointer, _ suites: String) throws(OpenSSLError) {
        try succeed(SSL_CTX_set_cipher_list(context, suites), "SSL_CTX_set_cipher_list")
    }

    static func setSecurityLevel(_ context: OpaquePointer, _ level: Int32) {
        SSL_CTX_set_security_level(context, level)
    }

    static func setOptions(_ context: OpaquePointer, _ options: UInt64) {
        SSL_CTX_set_options(context, options)
    }

    static func clearOptions(_ context: OpaquePointer, _ options: UInt64) {
        SSL_CTX_clear_options(context, options)
    }

    static func setMode(_ context: OpaquePointer, _ mode: Int) {
        jq_SSL_CTX_set_mode(context, mode)
    }

    static func disableSessionCache(_ context: OpaquePointer) {
        jq_SSL_CTX_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
    }

    /// The context retains the certificates.
    static func setCertificate(
        _ context: OpaquePointer, _ certificate: Certificate, chain: [Certificate]
    ) throws(OpenSSLError) {
        try succeed(SSL_CTX_use_certificate(context, certificate.pointer), "SSL_CTX_use_certificate")
        for issuer in chain {
            X509_up_ref(issuer.pointer)
            guard jq_SSL_CTX_add0_chain_cert(context, issuer.pointer) == 1 else {
                X509_free(issuer.pointer)
                throw OpenSSLError.takeQueue(after: "SSL_CTX_add0_chain_cert")
            }
        }
    }

    /// The context retains the key. The certificate must be set before, because the key is checked against it.
    static func setPrivateKey(_ context: OpaquePointer, _ key: PrivateKey) throws(OpenSSLError) {
        try succeed(SSL_CTX_use_PrivateKey(context, key.pointer), "SSL_CTX_use_PrivateKey")
        try succeed(SSL_CTX_check_private_key(context), "SSL_CTX_check_private_key")
    }

    /// The context retains the certificate.
    static func trust(_ context: OpaquePointer, _ certificate: Certificate) throws(OpenSSLError) {
        let store = SSL_CTX_get_cert_store(context)
        try succeed(X509_STORE_add_cert(store, certificate.pointer), "X509_STORE_add_cert")
    }

    /// Trusts the authorities of the system, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    static func trustSystem(_ context: OpaquePointer) throws(OpenSSLError) {
        try succeed(SSL_CTX_set_default_verify_paths(context), "SSL_CTX_set_default_verify_paths")
    }

    static func requireCertificate(_ context: OpaquePointer) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
    }

    /// Offers `http/1.1` by ALPN.
    static func offerHTTP11(_ context: OpaquePointer) throws(OpenSSLError) {
        let names = [UInt8(http11.utf8.count)] + http11.utf8
        // Unlike the other calls, this one returns 0 for success.
        guard SSL_CTX_set_alpn_protos(context, names, UInt32(names.count)) == 0 else {
            throw OpenSSLError.takeQueue(after: "SSL_CTX_set_alpn_protos")
        }
    }

    /// Selects `http/1.1` by ALPN. A client that offers only other protocols receives the alert no_application_protocol
    /// (RFC 7301 section 3.2); a client without ALPN is served.
    static func selectHTTP11(_ context: OpaquePointer) {
        SSL_CTX_set_alpn_select_cb(
            context,
            { _, selected, selectedByteCount, offered, offeredByteCount, _ in
                let offers = UnsafeBufferPointer(start: offered, count: Int(offeredByteCount))
                var index = 0
                while index < offers.count {
                    let name = (index + 1)..<min(index + 1 + Int(offers[index]), offers.count)
                    if offers[name].elementsEqual(ContextCalls.http11.utf8) {
                        // OpenSSL copies the name before it frees the client's message.
                        selected?.pointee = offered.map { $0 + name.lowerBound }
                        selectedByteCount?.pointee = UInt8(name.count)
                        return SSL_TLSEXT_ERR_OK
                    }
                    index = name.upperBound
                }
                return SSL_TLSEXT_ERR_ALERT_FATAL
            }, nil)
    }

    private static let http11 = "http/1.1"

    private static func succeed(_ status: Int32, _ call: String) throws(OpenSSLError) {
        guard status == 1 else { throw OpenSSLError.takeQueue(after: call) }
    }
}
