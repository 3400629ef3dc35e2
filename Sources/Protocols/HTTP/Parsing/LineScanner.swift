/// Finds the lines of a head or a trailer section in a buffer that grows. Each byte is looked at once,
/// however the bytes arrive. A line ends with CRLF and with nothing else: RFC 9112 section 2.2 lets a
/// recipient accept a bare LF, and two servers that differ in this can be made to see two different
/// messages, so that a bare CR or LF is an error here.
struct LineScanner: Sendable {
    enum Outcome {
        /// A line without its CRLF, relative to the start of the section.
        case line(ByteRange)
        case needMore
        case tooLong
        case malformed
    }

    /// Where the next line starts, relative to the start of the section.
    private(set) var position = 0
    private var scanned = 0

    /// The next line of the section that starts at `start` in `bytes`.
    /// - Parameter lengthMax: the longest line without CRLF; below 0 there is no room for any line.
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
