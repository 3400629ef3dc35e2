import COpenSSL

/// One thin function for each C call of hashing.
///
/// The calls fail only if memory runs out, or if OpenSSL's configuration disables SHA-256. A caller could not handle
/// either, so they trap with OpenSSL's reason.
enum HashCalls {
    // Fetched once: OpenSSL 3 otherwise searches its providers in every call, which takes longer than hashing 64 bytes
    // (measured: 344 ns with `SHA256()`, 155 ns with a fetched algorithm). Both objects are immutable.
    nonisolated(unsafe) private static let sha256: OpaquePointer = required(
        EVP_MD_fetch(nil, "SHA256", nil), "EVP_MD_fetch")
    nonisolated(unsafe) private static let hmac: OpaquePointer = required(
        EVP_MAC_fetch(nil, "HMAC", nil), "EVP_MAC_fetch")

    static func digest(_ bytes: Span<UInt8>) -> Digest256 {
        withWords { words in
            bytes.withUnsafeBytes { source in
                // The base address is nil for an empty span; the call accepts nil with a count of 0.
                succeed(EVP_Digest(source.baseAddress, source.count, words, nil, sha256, nil), "EVP_Digest")
            }
        }
    }

    static func newDigestContext() -> OpaquePointer {
        required(EVP_MD_CTX_new(), "EVP_MD_CTX_new")
    }

    static func begin(_ context: OpaquePointer) {
        succeed(EVP_DigestInit_ex2(context, sha256, nil), "EVP_DigestInit_ex2")
    }

    static func update(_ context: OpaquePointer, _ bytes: Span<UInt8>) {
        bytes.withUnsafeBytes { source in
            succeed(EVP_DigestUpdate(context, source.baseAddress, source.count), "EVP_DigestUpdate")
        }
    }

    static func finish(_ context: OpaquePointer) -> Digest256 {
        withWords { words in succeed(EVP_DigestFinal_ex(context, words, nil), "EVP_DigestFinal_ex") }
    }

    static func free(_ context: OpaquePointer) {
        EVP_MD_CTX_free(context)
    }

    static func newAuthenticationContext() -> OpaquePointer {
        required(EVP_MAC_CTX_new(hmac), "EVP_MAC_CTX_new")
    }

    static func begin(_ context: OpaquePointer, key: Span<UInt8>) {
        // An empty key is legal, but a nil pointer means "keep the current key", so it points to a byte that is not
        // read.
        withUnsafePointer(to: UInt8(0)) { noByte in
            key.withUnsafeBufferPointer { key in
                succeed(jq_EVP_MAC_init_sha256(context, key.baseAddress ?? noByte, key.count), "EVP_MAC_init")
            }
        }
    }

    static func updateAuthentication(_ context: OpaquePointer, _ bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { source in
            guard !source.isEmpty else { return }
            succeed(EVP_MAC_update(context, source.baseAddress, source.count), "EVP_MAC_update")
        }
    }

    static func finishAuthentication(_ context: OpaquePointer) -> Digest256 {
        withWords { words in
            var byteCount = 0
            succeed(EVP_MAC_final(context, words, &byteCount, Digest256.byteCount), "EVP_MAC_final")
        }
    }

    static func freeAuthentication(_ context: OpaquePointer) {
        EVP_MAC_CTX_free(context)
    }

    /// Fills `target` from OpenSSL's random generator, which is seeded by the kernel.
    static func fillRandomly(_ target: UnsafeMutableBufferPointer<UInt8>) {
        guard let count = Int32(exactly: target.count) else {
            preconditionFailure("\(target.count) random bytes in one call; the maximum is 2147483647")
        }
        succeed(RAND_bytes(target.baseAddress, count), "RAND_bytes")
    }

    /// Whether the bytes are equal, in a time that depends on their number only.
    static func areEqual(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        left.withUnsafeBytes { left in
            right.withUnsafeBytes { right in
                left.count == right.count && CRYPTO_memcmp(left.baseAddress, right.baseAddress, left.count) == 0
            }
        }
    }

    private static func withWords(_ fill: (UnsafeMutablePointer<UInt8>) -> Void) -> Digest256 {
        var words: Digest256.Words = (0, 0, 0, 0)
        withUnsafeMutableBytes(of: &words) { bytes in
            fill(bytes.baseAddress!.assumingMemoryBound(to: UInt8.self))
        }
        return Digest256(words: words)
    }

    private static func succeed(_ status: Int32, _ call: String) {
        guard status == 1 else { fatalError("\(OpenSSLError.takeQueue(after: call))") }
    }

    private static func required(_ pointer: OpaquePointer?, _ call: String) -> OpaquePointer {
        guard let pointer else { fatalError("\(OpenSSLError.takeQueue(after: call))") }
        return pointer
    }
}
