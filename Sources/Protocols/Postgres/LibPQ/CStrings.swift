import Glibc

/// Arrays of C strings for libpq.
enum CStrings {
    /// Calls `body` with two null-terminated arrays.
    static func withArrays<Value>(
        _ first: [String], _ second: [String],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> Value
    ) -> Value {
        let copies = (first.map { strdup($0) }, second.map { strdup($0) })
        defer {
            for copy in copies.0 { free(copy) }
            for copy in copies.1 { free(copy) }
        }
        let terminated = (copies.0.map { UnsafePointer($0) } + [nil], copies.1.map { UnsafePointer($0) } + [nil])
        return terminated.0.withUnsafeBufferPointer { first in
            terminated.1.withUnsafeBufferPointer { second in
                // Both arrays contain at least nil, so they have a base address.
                body(first.baseAddress.unsafelyUnwrapped, second.baseAddress.unsafelyUnwrapped)
            }
        }
    }
}

extension Parameters {
    /// Calls `body` with the arguments of `PQsendQueryPrepared`: the number of parameters, their values, lengths and
    /// formats (all binary). libpq copies the values before it returns.
    func withPointers<Value>(
        _ body: (
            Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?
        ) -> Value
    ) -> Value {
        let capacity = max(1, slots.count)
        return withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: capacity) { values in
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2 * capacity) { numbers in
                bytes.withUnsafeBytes { bytes in
                    var offset = 0
                    for (index, slot) in slots.enumerated() {
                        values.initializeElement(at: index, to: Self.pointer(to: slot, at: offset, in: bytes))
                        numbers.initializeElement(at: index, to: max(0, slot.byteCount))
                        numbers.initializeElement(at: capacity + index, to: 1)
                        offset += Int(max(0, slot.byteCount))
                    }
                    let lengths = numbers.baseAddress.unsafelyUnwrapped
                    return body(Int32(slots.count), values.baseAddress, lengths, lengths + capacity)
                }
            }
        }
    }

    /// libpq takes a null pointer for NULL, so an empty value needs a non-null pointer.
    private static func pointer(
        to slot: Slot, at offset: Int, in bytes: UnsafeRawBufferPointer
    ) -> UnsafePointer<CChar>? {
        guard slot.byteCount >= 0 else { return nil }
        guard slot.byteCount > 0, let base = bytes.baseAddress else { return emptyValue }
        return (base + offset).assumingMemoryBound(to: CChar.self)
    }

    /// A pointer to a byte that is never read or freed.
    private nonisolated(unsafe) static let emptyValue: UnsafePointer<CChar> = {
        let byte = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        byte.initialize(to: 0)
        return UnsafePointer(byte)
    }()
}
