/// Whether two secrets are the same, in a time that depends on their lengths alone.
///
/// Differing lengths are told at once: keep the length of a secret no secret, or compare digests.
public func isEqualInConstantTime(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    HashCalls.areEqual(left, right)
}

/// Whether two secrets are the same, in a time that depends on their lengths alone.
public func isEqualInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    HashCalls.areEqual(left.span, right.span)
}

/// Bytes that nobody can guess, fit for keys and tokens.
///
/// - Parameter count: 0 to 2^31 - 1.
public func secureRandomBytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
        HashCalls.fillRandomly(UnsafeMutableBufferPointer(rebasing: buffer.prefix(count)))
        initializedCount = count
    }
}
