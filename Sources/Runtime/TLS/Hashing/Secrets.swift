/// Whether two secrets are equal, in a time that depends on their lengths only.
///
/// Different lengths return false at once. If the length must stay secret, compare digests instead.
public func isEqualInConstantTime(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    HashCalls.areEqual(left, right)
}

/// Whether two secrets are equal, in a time that depends on their lengths only.
public func isEqualInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    HashCalls.areEqual(left.span, right.span)
}

/// Cryptographically secure random bytes, for keys and tokens.
///
/// - Parameter count: number of bytes, 0 to 2^31 - 1.
public func secureRandomBytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
        HashCalls.fillRandomly(UnsafeMutableBufferPointer(rebasing: buffer.prefix(count)))
        initializedCount = count
    }
}
