internal import Values

/// A 256-bit digest or message authentication code.
///
/// `==` takes constant time and may be used to compare digests of secrets.
public struct Digest256: Hashable, Sendable, CustomStringConvertible {
    public static let byteCount = 32

    typealias Words = (UInt64, UInt64, UInt64, UInt64)

    /// The 32 bytes in the order of the digest, independent of the byte order of the machine.
    private let words: Words

    init(words: Words) {
        self.words = words
    }

    /// A digest of the given bytes; nil unless there are 32.
    public init?(bytes: Span<UInt8>) {
        guard bytes.count == Digest256.byteCount else { return nil }
        var words: Words = (0, 0, 0, 0)
        withUnsafeMutableBytes(of: &words) { target in
            for index in bytes.indices { target[index] = bytes[index] }
        }
        self.words = words
    }

    /// A digest of the given bytes; nil unless there are 32.
    public init?(bytes: [UInt8]) {
        self.init(bytes: bytes.span)
    }

    /// Parses 64 hexadecimal digits in either case; nil for any other text.
    public init?(hexadecimal: String) {
        let digits = Array(hexadecimal.utf8)
        guard digits.count == 2 * Digest256.byteCount else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Digest256.byteCount)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Hexadecimal.value(digits[index]), let low = Hexadecimal.value(digits[index + 1])
            else { return nil }
            bytes.append(high << 4 | low)
        }
        self.init(bytes: bytes.span)
    }

    /// The 32 bytes.
    public var bytes: [UInt8] {
        withUnsafeBytes(of: words) { Array($0) }
    }

    /// 64 lower-case hexadecimal digits.
    public var hexadecimal: String {
        String(unsafeUninitializedCapacity: 2 * Digest256.byteCount) { target in
            withUnsafeBytes(of: words) { source in
                for (index, byte) in source.enumerated() {
                    target[2 * index] = Hexadecimal.digit(byte >> 4)
                    target[2 * index + 1] = Hexadecimal.digit(byte)
                }
            }
            return 2 * Digest256.byteCount
        }
    }

    public var description: String { hexadecimal }

    /// Compares all 256 bits in constant time.
    public static func == (left: Digest256, right: Digest256) -> Bool {
        let difference =
            (left.words.0 ^ right.words.0) | (left.words.1 ^ right.words.1)
            | (left.words.2 ^ right.words.2) | (left.words.3 ^ right.words.3)
        return difference == 0
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}
