/// An incremental scanner for the lines of a head or a trailer section. It inspects each byte once, however the bytes
/// arrive.
///
/// A line ends with CRLF only. RFC 9112 section 2.2 allows a recipient to accept a bare LF; two servers that differ in
/// this can see different messages in the same bytes, so a bare CR or LF is an error here.
struct LineScanner: Sendable {
    enum Outcome {
        /// A line without its CRLF, as a range relative to the start of the section.
        case line(ByteRange)
        case needMore
        case tooLong
        case malformed
    }

    /// Start of the next line, relative to the start of the section.
    private(set) var position = 0
    private var scanned = 0

    /// The next line of the section that starts at `start` in `bytes`.
    /// - Parameter lengthMax: maximum length of the line without CRLF. A negative value gives `.tooLong`.
    mutating func next(in bytes: Span<UInt8>, from start: Int, lengthMax: Int) -> Outcome {
        guard lengthMax >= 0 else { return .tooLong }
        let limit = start + position + lengthMax + 2
        let end = min(bytes.count, limit)
        var index = start + scanned
        while index < end {
            let byte = bytes[index]
            if byte >= 0x20 && byte != 0x7F || byte == .tab {
                index += 1
                continue
            }
            guard byte == .carriageReturn else { return .malformed }
            guard index + 1 < end else { break }
            guard bytes[index + 1] == .lineFeed else { return .malformed }
            let line = ByteRange(position, index - start)
            position = index + 2 - start
            scanned = position
            return .line(line)
        }
        scanned = index - start
        return end == limit ? .tooLong : .needMore
    }
}
