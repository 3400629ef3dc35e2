internal import Values

/// An incremental decoder of the chunked transfer coding (RFC 9112 section 7.1). Chunk extensions and trailer fields
/// are checked, counted against the limits and dropped.
public struct ChunkedDecoder: Sendable {
    public enum Outcome: Equatable, Sendable {
        /// `consumed` bytes were decoded; the body is not complete.
        case needMore(consumed: Int)
        /// The body is complete; the next message starts after `consumed` bytes.
        case complete(consumed: Int)
        /// The body is malformed or too long; the start of the next message is unknown.
        case invalid(ProtocolViolation)
    }

    private enum State: Sendable {
        case size(value: Int, digits: Int)
        case `extension`(size: Int, Extension)
        case sizeLineFeed(size: Int)
        case data(remaining: Int)
        case dataCarriageReturn
        case dataLineFeed
        case trailer(LineScanner, count: Int)
    }

    /// Position within `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`.
    private enum Extension: Sendable {
        /// White space after the size: only white space or a semicolon may follow.
        case beforeSemicolon
        case text
        case quoted
        case quotedEscape
    }

    private let limits: MessageLimits
    private let bodyBytesMax: Int
    private var state = State.size(value: 0, digits: 0)
    private var lineLength = 0
    private var extensionLength = 0

    public init(limits: MessageLimits = MessageLimits(), bodyBytesMax: Int) {
        self.limits = limits
        self.bodyBytesMax = bodyBytesMax
    }

    /// Decodes `buffer[start...]` and appends the content to `body`. The next call starts after the consumed bytes.
    public mutating func decode(_ buffer: [UInt8], from start: Int, into body: inout [UInt8]) -> Outcome {
        do throws(ProtocolViolation) {
            var index = start
            while index < buffer.count {
                switch state {
                case .data(let remaining):
                    let count = min(remaining, buffer.count - index)
                    body.append(contentsOf: buffer[index..<index + count])
                    index += count
                    state = count == remaining ? .dataCarriageReturn : .data(remaining: remaining - count)
                case .trailer(var scanner, var count):
                    let isComplete = try readTrailer(buffer.span, from: index, &scanner, &count)
                    if isComplete { return .complete(consumed: index + scanner.position - start) }
                    state = .trailer(scanner, count: count)
                    // The trailer section is short; it stays in the buffer until it is complete.
                    return .needMore(consumed: index - start)
                default:
                    try consume(buffer[index], bodyCount: body.count)
                    index += 1
                }
            }
            return .needMore(consumed: index - start)
        } catch {
            return .invalid(error)
        }
    }

    /// Consumes one byte outside of content and trailers.
    private mutating func consume(_ byte: UInt8, bodyCount: Int) throws(ProtocolViolation) {
        switch state {
        case .size(let value, let digits):
            try countLineByte(byte)
            if let digit = Hexadecimal.value(byte) {
                guard value <= (Int.max - 15) / 16 else { throw Self.tooLarge }
                state = .size(value: value * 16 + Int(digit), digits: digits + 1)
            } else {
                guard digits > 0 else { throw ProtocolViolation("a chunk does not start with its size") }
                guard value <= bodyBytesMax - bodyCount else { throw Self.tooLarge }
                try endSize(byte, size: value)
            }
        case .extension(let size, let part):
            try countLineByte(byte)
            extensionLength += 1
            guard extensionLength <= limits.chunkExtensionBytesMax else {
                throw ProtocolViolation("the chunk extensions are too long")
            }
            state = try Self.afterExtensionByte(byte, part, size: size)
        case .sizeLineFeed(let size):
            try Self.requireLineFeed(byte)
            lineLength = 0
            state = size == 0 ? .trailer(LineScanner(), count: 0) : .data(remaining: size)
        case .dataCarriageReturn:
            guard byte == .carriageReturn else { throw ProtocolViolation("a chunk is longer than its size") }
            state = .dataLineFeed
        case .dataLineFeed:
            try Self.requireLineFeed(byte)
            state = .size(value: 0, digits: 0)
        case .data, .trailer:
            preconditionFailure("content and trailers are not consumed byte by byte")
        }
    }

    private mutating func endSize(_ byte: UInt8, size: Int) throws(ProtocolViolation) {
        switch byte {
        case .carriageReturn: state = .sizeLineFeed(size: size)
        case UInt8(ascii: ";"): state = .extension(size: size, .text)
        case .space, .tab: state = .extension(size: size, .beforeSemicolon)
        default: throw ProtocolViolation("the size of a chunk is not a hexadecimal number")
        }
    }

    private static func afterExtensionByte(
        _ byte: UInt8, _ part: Extension, size: Int
    ) throws(ProtocolViolation) -> State {
        let malformed = ProtocolViolation("a chunk extension is malformed")
        switch part {
        case .beforeSemicolon:
            if byte == UInt8(ascii: ";") { return .extension(size: size, .text) }
            guard byte.isBlank else { throw malformed }
            return .extension(size: size, .beforeSemicolon)
        case .text:
            if byte == .carriageReturn { return .sizeLineFeed(size: size) }
            if byte == UInt8(ascii: "\"") { return .extension(size: size, .quoted) }
            guard byte.isToken || byte.isBlank || byte == UInt8(ascii: ";") || byte == UInt8(ascii: "=") else {
                throw malformed
            }
            return .extension(size: size, .text)
        case .quoted:
            guard byte.isFieldText else { throw malformed }
            if byte == UInt8(ascii: "\"") { return .extension(size: size, .text) }
            return .extension(size: size, byte == UInt8(ascii: "\\") ? .quotedEscape : .quoted)
        case .quotedEscape:
            guard byte.isFieldText else { throw malformed }
            return .extension(size: size, .quoted)
        }
    }

    /// Reads the complete lines of the trailer section. Returns true after the empty line that ends the body.
    private func readTrailer(
        _ bytes: Span<UInt8>, from start: Int, _ scanner: inout LineScanner, _ count: inout Int
    ) throws(ProtocolViolation) -> Bool {
        while true {
            switch scanner.next(in: bytes, from: start, lengthMax: limits.trailerBytesMax - scanner.position - 2) {
            case .needMore: return false
            case .tooLong: throw ProtocolViolation(.fieldsTooLarge, "the trailer section is too large")
            case .malformed:
                throw ProtocolViolation(
                    "the trailer section contains a control character, or a line that does not end with CRLF")
            case .line(let line):
                if line.isEmpty { return true }
                count += 1
                guard count <= limits.trailerCountMax else {
                    throw ProtocolViolation(.fieldsTooLarge, "the trailer section has too many fields")
                }
                _ = try FieldLine(bytes, from: start, line: line)
            }
        }
    }

    private mutating func countLineByte(_ byte: UInt8) throws(ProtocolViolation) {
        guard byte != .carriageReturn else { return }
        lineLength += 1
        guard lineLength <= limits.chunkLineBytesMax else { throw ProtocolViolation("a chunk line is too long") }
    }

    private static func requireLineFeed(_ byte: UInt8) throws(ProtocolViolation) {
        guard byte == .lineFeed else { throw ProtocolViolation("a carriage return is not followed by a line feed") }
    }

    private static var tooLarge: ProtocolViolation { ProtocolViolation(.contentTooLarge, "the body is too large") }
}
