/// The head of a valid response.
public struct ResponseHead: Sendable {
    public let status: Status
    public let version: Version
    public let fields: MessageFields
    let framing: Framing

    /// How the end of the body is determined (RFC 9112 section 6.3).
    enum BodyEnd: Equatable {
        /// No body.
        case none
        case length(Int)
        case chunked
        /// The body ends when the server closes the connection.
        case close
    }

    func bodyEnd(answering method: Method) -> BodyEnd {
        if method == .head || status.forbidsContent { return .none }
        if framing.isChunked { return .chunked }
        return framing.contentLength.map { .length($0) } ?? .close
    }
}

/// An incremental parser of response heads, as strict as `RequestParser`.
public struct ResponseParser: Sendable {
    private let limits: MessageLimits
    private var scanner = LineScanner()
    private var statusLine: (version: Version, status: Status)?
    private var lines: [FieldLine] = []
    private var framing = Framing()

    public init(limits: MessageLimits = MessageLimits()) {
        self.limits = limits
    }

    /// Continues to parse a head, with more bytes than in the last call.
    /// - Parameters:
    ///   - buffer: all bytes of the last call for this head, followed by new ones.
    ///   - start: index in `buffer` at which the head starts.
    public mutating func parse(_ buffer: [UInt8], from start: Int) -> Parsed<ResponseHead> {
        do throws(ProtocolViolation) {
            guard try readLines(buffer.span, from: start), let statusLine else { return .needMore }
            try framing.check(statusLine.version)
            let consumed = scanner.position
            let head = ResponseHead(
                status: statusLine.status, version: statusLine.version,
                fields: MessageFields(bytes: Array(buffer[start..<start + consumed]), lines: lines), framing: framing)
            self = ResponseParser(limits: limits)
            return .complete(head, consumed: consumed)
        } catch {
            return .invalid(error)
        }
    }

    /// Parses all complete lines. Returns true after the empty line that ends the head.
    private mutating func readLines(_ bytes: Span<UInt8>, from start: Int) throws(ProtocolViolation) -> Bool {
        while true {
            let remaining = limits.headBytesMax - scanner.position - 2
            let lengthMax = statusLine == nil ? min(limits.startLineBytesMax, remaining) : remaining
            switch scanner.next(in: bytes, from: start, lengthMax: lengthMax) {
            case .needMore: return false
            case .tooLong: throw ProtocolViolation(.fieldsTooLarge, "the head of the response is too large")
            case .malformed:
                throw ProtocolViolation(
                    "the response contains a control character, or a line that does not end with CRLF")
            case .line(let line):
                if statusLine == nil {
                    statusLine = try Self.parseStatusLine(bytes, line.indices(from: start))
                } else if line.isEmpty {
                    return true
                } else {
                    try readField(bytes, from: start, line)
                }
            }
        }
    }

    private mutating func readField(
        _ bytes: Span<UInt8>, from start: Int, _ line: ByteRange
    ) throws(ProtocolViolation) {
        guard lines.count < limits.fieldCountMax else {
            throw ProtocolViolation(.fieldsTooLarge, "the response has too many fields")
        }
        let field = try FieldLine(bytes, from: start, line: line)
        lines.append(field)
        if let known = field.known { try framing.apply(known, bytes, field.value.indices(from: start)) }
    }

    /// Parses `HTTP-version SP 3DIGIT SP [ reason-phrase ]` (RFC 9112 section 4). The last space may be missing.
    private static func parseStatusLine(
        _ bytes: Span<UInt8>, _ line: Range<Int>
    ) throws(ProtocolViolation) -> (version: Version, status: Status) {
        let start = line.lowerBound
        guard line.count >= 12, bytes[start + 8] == .space, line.count == 12 || bytes[start + 12] == .space else {
            throw ProtocolViolation("the status line is malformed")
        }
        let version = try Version(bytes, start..<start + 8)
        var code = 0
        for index in start + 9..<start + 12 {
            guard bytes[index].isDigit else { throw ProtocolViolation("the status code is not a number") }
            code = code * 10 + Int(bytes[index] - UInt8(ascii: "0"))
        }
        guard (100...599).contains(code) else { throw ProtocolViolation("the status code is not in 100 to 599") }
        return (version, Status(code))
    }
}
