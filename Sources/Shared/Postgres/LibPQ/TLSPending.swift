import Glibc

/// What OpenSSL has decrypted and libpq has not yet read.
///
/// libpq 15 reads once when its socket is readable. What is left of a TLS record then lies in OpenSSL, and no
/// readiness is ever reported for it: an answer would wait for the next one. libpq links OpenSSL, so
/// `SSL_pending` is in the process whenever it can be needed.
enum TLSPending {
    private typealias PendingFunction = @convention(c) (UnsafeRawPointer) -> Int32

    private static let pending: PendingFunction? = dlsym(nil, "SSL_pending").map {
        unsafeBitCast($0, to: PendingFunction.self)
    }

    /// - Parameter ssl: the `SSL *` of the connection.
    static func hasBytes(_ ssl: UnsafeMutableRawPointer?) -> Bool {
        guard let ssl, let pending else { return false }
        return pending(ssl) > 0
    }
}
