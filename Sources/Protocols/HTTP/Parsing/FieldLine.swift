/// One field line of a head, as ranges into the head's bytes.
struct FieldLine: Sendable, Equatable {
    let name: ByteRange
    /// Without surrounding white space.
    let value: ByteRange
    /// The field, if it is one of `KnownField`.
    let known: KnownField?

    /// Parses `field-name ":" OWS field-value OWS` (RFC 9112 section 5). The scanner has already rejected control
    /// characters.
    /// - Parameters:
    ///   - start: index in `bytes` at which the section starts.
    ///   - line: range of the line, relative to `start`, as are the parsed ranges.
    init(_ bytes: Span<UInt8>, from start: Int, line: ByteRange) throws(ProtocolViolation) {
        var index = start + line.lowerBound
        let end = start + line.upperBound
        guard index < end, !bytes[index].isBlank else {
            throw ProtocolViolation("a field line starts with white space (obsolete line folding)")
        }
        let nameStart = index
        while index < end, bytes[index].isToken { index += 1 }
        guard index < end, bytes[index] == UInt8(ascii: ":"), index > nameStart else {
            throw ProtocolViolation("a field name is not a token followed directly by a colon")
        }
        let nameEnd = index
        index += 1
        var valueEnd = end
        while index < valueEnd, bytes[index].isBlank { index += 1 }
        while valueEnd > index, bytes[valueEnd - 1].isBlank { valueEnd -= 1 }
        name = ByteRange(nameStart - start, nameEnd - start)
        value = ByteRange(index - start, valueEnd - start)
        known = KnownField(bytes, nameStart..<nameEnd)
    }
}
