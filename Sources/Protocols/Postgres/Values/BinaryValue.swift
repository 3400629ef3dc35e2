internal import Values

/// A value with a binary format in PostgreSQL's protocol, in network byte order.
///
/// Internal, because the public functions are concrete and are therefore fast without specialisation in the caller's
/// module.
protocol BinaryValue: Sendable {
    static var postgresType: PostgresType { get }

    /// Appends the binary format, without its length.
    func appendBinary(to bytes: inout [UInt8])

    /// Nil if the bytes are not a value of the type, or one that the Swift type cannot represent.
    init?(binary: UnsafeRawBufferPointer)
}

extension [UInt8] {
    /// Appends an integer in network byte order.
    @inline(__always)
    mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    /// Overwrites the four bytes at `offset`.
    mutating func overwriteBigEndian(_ value: Int32, at offset: Int) {
        let bits = UInt32(bitPattern: value)
        for index in 0..<4 {
            self[offset + index] = UInt8(truncatingIfNeeded: bits >> UInt32(24 - 8 * index))
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The integer in network byte order at `offset`; nil beyond the end.
    @inline(__always)
    func bigEndian<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int = 0) -> Value? {
        guard offset >= 0, count - offset >= MemoryLayout<Value>.size else { return nil }
        return Value(bigEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// The integer of exactly these bytes; nil if their number differs from its size.
    @inline(__always)
    func wholeBigEndian<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
        count == MemoryLayout<Value>.size ? bigEndian(type) : nil
    }
}

extension Bool: BinaryValue {
    static var postgresType: PostgresType { .bool }

    func appendBinary(to bytes: inout [UInt8]) { bytes.append(self ? 1 : 0) }

    init?(binary: UnsafeRawBufferPointer) {
        guard let byte = binary.wholeBigEndian(UInt8.self) else { return nil }
        self = byte != 0
    }
}

extension Int16: BinaryValue {
    static var postgresType: PostgresType { .int2 }

    func appendBinary(to bytes: inout [UInt8]) { bytes.appendBigEndian(self) }

    init?(binary: UnsafeRawBufferPointer) {
        guard let value = binary.wholeBigEndian(Int16.self) else { return nil }
        self = value
    }
}

extension Int32: BinaryValue {
    static var postgresType: PostgresType { .int4 }

    func appendBinary(to bytes: inout [UInt8]) { bytes.appendBigEndian(self) }

    init?(binary: UnsafeRawBufferPointer) {
        guard let value = binary.wholeBigEndian(Int32.self) else { return nil }
        self = value
    }
}

extension Int64: BinaryValue {
    static var postgresType: PostgresType { .int8 }

    func appendBinary(to bytes: inout [UInt8]) { bytes.appendBigEndian(self) }

    init?(binary: UnsafeRawBufferPointer) {
        guard let value = binary.wholeBigEndian(Int64.self) else { return nil }
        self = value
    }
}

extension Double: BinaryValue {
    static var postgresType: PostgresType { .float8 }

    func appendBinary(to bytes: inout [UInt8]) { bytes.appendBigEndian(bitPattern) }

    init?(binary: UnsafeRawBufferPointer) {
        guard let bits = binary.wholeBigEndian(UInt64.self) else { return nil }
        self = Double(bitPattern: bits)
    }
}

extension UUID: BinaryValue {
    static var postgresType: PostgresType { .uuid }

    func appendBinary(to bytes: inout [UInt8]) {
        bytes.appendBigEndian(high)
        bytes.appendBigEndian(low)
    }

    init?(binary: UnsafeRawBufferPointer) {
        guard binary.count == 16, let high = binary.bigEndian(UInt64.self),
            let low = binary.bigEndian(UInt64.self, at: 8)
        else { return nil }
        self.init(high: high, low: low)
    }
}

extension WallInstant: BinaryValue {
    static var postgresType: PostgresType { .timestamptz }

    /// PostgreSQL counts microseconds from 2000-01-01, 946,684,800 s after 1970. The minimum and maximum integers stand
    /// for -infinity and infinity.
    private static var epochOffsetMicroseconds: Int64 { 946_684_800_000_000 }

    /// An instant before PostgreSQL's range is sent as another instant before it, which PostgreSQL rejects (22008).
    func appendBinary(to bytes: inout [UInt8]) {
        let (value, overflow) = microseconds.subtractingReportingOverflow(WallInstant.epochOffsetMicroseconds)
        bytes.appendBigEndian(overflow ? Int64.min + 1 : value)
    }

    /// Nil also for the two infinities.
    init?(binary: UnsafeRawBufferPointer) {
        guard let value = binary.wholeBigEndian(Int64.self), value != .min else { return nil }
        let (microseconds, overflow) = value.addingReportingOverflow(WallInstant.epochOffsetMicroseconds)
        guard !overflow else { return nil }
        self.init(microseconds: microseconds)
    }
}

/// `text` and `json`. The server has verified that they are UTF-8.
extension String: BinaryValue {
    static var postgresType: PostgresType { .text }

    func appendBinary(to bytes: inout [UInt8]) { bytes.append(contentsOf: utf8) }

    init?(binary: UnsafeRawBufferPointer) {
        self = String(decoding: binary, as: UTF8.self)
    }
}

extension [UInt8]: BinaryValue {
    static var postgresType: PostgresType { .bytea }

    func appendBinary(to bytes: inout [UInt8]) { bytes.append(contentsOf: self) }

    init?(binary: UnsafeRawBufferPointer) {
        self = Array(binary)
    }
}
