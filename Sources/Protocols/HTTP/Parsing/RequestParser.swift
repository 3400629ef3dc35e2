/// An incremental parser of request heads (RFC 9112). Where the standard allows a recipient to be lenient, this parser
/// is strict: request smuggling depends on two parties that read the same bytes differently.
///
/// Each line is scanned once, and parsed when it is complete. After `.invalid` the parser must not be used again.
public struct RequestParser: Sendable {
    private let limits: MessageLimits
    private var scanner = LineScanner()
    private var requestLine: RequestLine?
    private var lines: [FieldLine] = []
    private var framing = Framing()
    private var hostCount = 0
    private var contentTypeCount = 0
    private var expectation = Expectation.none
    private var skippedEmptyLine = false

    private enum Expectation: Sendable {
        case none, `continue`, unknown
    }

    public init(limits: MessageLimits = MessageLimits()) {
        self.limits = limits
    }

    /// Continues to parse a head, with more bytes than in the last call.
    /// - Parameters:
    ///   - buffer: all bytes of the last call for this head, followed by new ones.
    ///   - start: index in `buffer` at which the head starts.
    public mutating func parse(_ buffer: [UInt8], from start: Int) -> Parsed<RequestHead> {
        do throws(ProtocolViolation) {
            guard try readLines(buffer.span, from: start) else { return .needMore }
            let consumed = scanner.position
            let head = try finish(Array(buffer[start..<start + consumed]))
            self = RequestParser(limits: limits)
            return .complete(head, consumed: consumed)
        } catch {
            return .invalid(error)
        }
    }

    /// Parses all complete lines. Returns true after the empty line that ends the head.
    private mutating func readLines(_ bytes: Span<UInt8>, from start: Int) throws(ProtocolViolation) -> Bool {
        while true {
            let remaining = limits.headBytesMax - scanner.position - 2
            let lengthMax = requestLine == nil ? min(limits.startLineBytesMax, remaining) : remaining
            switch scanner.next(in: bytes, from: start, lengthMax: lengthMax) {
            case .needMore:
                return false
            case .tooLong:
                throw requestLine == nil
                    ? ProtocolViolation(.uriTooLong, "the request line is too long")
                    : ProtocolViolation(.fieldsTooLarge, "the head is too large")
            case .malformed:
                throw ProtocolViolation("the head contains a control character, or a line that does not end with CRLF")
            case .line(let line):
                if requestLine != nil {
                    if line.isEmpty { return true }
                    try readField(bytes, from: start, line)
                } else if line.isEmpty, !skippedEmptyLine {
                    // RFC 9112 section 2.2: a server should ignore at least one empty line before a request.
                    skippedEmptyLine = true
                } else {
                    requestLine = try RequestLine(bytes, from: start, line)
                }
            }
        }
    }

    private mutating func readField(
        _ bytes: Span<UInt8>, from start: Int, _ line: ByteRange
    ) throws(ProtocolViolation) {
        guard lines.count < limits.fieldCountMax else {
            throw ProtocolViolation(.fieldsTooLarge, "the head has too many fields")
        }
        let field = try FieldLine(bytes, from: start, line: line)
        if lines.isEmpty { lines.reserveCapacity(16) }
        lines.append(field)
        guard let known = field.known else { return }
        let value = field.value.indices(from: start)
        switch known {
        case .host:
            hostCount += 1
            guard hostCount == 1 else { throw ProtocolViolation("Host is given more than once") }
            guard isAuthority(bytes, value, mayBeEmpty: true) else {
                throw ProtocolViolation("Host is not host[:port]")
            }
        case .contentType:
            contentTypeCount += 1
            guard contentTypeCount == 1 else { throw ProtocolViolation("Content-Type is given more than once") }
        case .expect:
            let isContinue = bytes.equals(value, lowercase: "100-continue")
            expectation = isContinue && expectation != .unknown ? .continue : .unknown
        default:
            try framing.apply(known, bytes, value)
        }
    }

    private func finish(_ head: [UInt8]) throws(ProtocolViolation) -> RequestHead {
        guard let requestLine else { preconditionFailure("a complete head has a request line") }
        let version = requestLine.version
        guard hostCount == 1 || version == .http10 else { throw ProtocolViolation("Host is missing") }
        try framing.check(version)
        // An HTTP/1.0 client does not understand 100, so its expectation is ignored (RFC 9110 section 10.1.1).
        guard expectation != .unknown || version == .http10 else {
            throw ProtocolViolation(.expectationFailed, "the only supported expectation is 100-continue")
        }
        return RequestHead(
            method: requestLine.method,
            version: version,
            fields: MessageFields(bytes: head, lines: lines),
            target: requestLine.target,
            framing: framing,
            expectsContinue: expectation == .continue && version == .http11)
    }
}

/// `method SP request-target SP HTTP-version` with single spaces (RFC 9112 section 3).
private struct RequestLine: Sendable {
    let method: Method
    let target: RequestTarget
    let version: Version

    init(_ bytes: Span<UInt8>, from start: Int, _ line: ByteRange) throws(ProtocolViolation) {
        let end = start + line.upperBound
        let methodStart = start + line.lowerBound
        var index = methodStart
        while index < end, bytes[index].isToken { index += 1 }
        let methodEnd = index
        guard methodEnd > methodStart, index < end, bytes[index] == .space else {
            throw ProtocolViolation("the request line does not start with a method and a space")
        }
        index += 1
        let targetStart = index
        while index < end, bytes[index] != .space { index += 1 }
        guard index < end else { throw ProtocolViolation("the request line has no version") }
        version = try Version(bytes, index + 1..<end)
        guard let method = Method(bytes, methodStart..<methodEnd), method != .connect else {
            throw ProtocolViolation(.notImplemented, "the method is not implemented")
        }
        self.method = method
        target = try RequestTarget(bytes, from: start, ByteRange(targetStart - start, index - start), method: method)
    }
}

extension Version {
    /// `HTTP/` DIGIT `.` DIGIT, case-sensitive (RFC 9112 section 2.3).
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(ProtocolViolation) {
        let start = range.lowerBound
        guard range.count == 8, bytes[start] == UInt8(ascii: "H"), bytes[start + 1] == UInt8(ascii: "T"),
            bytes[start + 2] == UInt8(ascii: "T"), bytes[start + 3] == UInt8(ascii: "P"),
            bytes[start + 4] == UInt8(ascii: "/"), bytes[start + 5].isDigit, bytes[start + 6] == UInt8(ascii: "."),
            bytes[start + 7].isDigit
        else { throw ProtocolViolation("the version is not HTTP/digit.digit") }
        switch (bytes[start + 5], bytes[start + 7]) {
        case (UInt8(ascii: "1"), UInt8(ascii: "1")): self = .http11
        case (UInt8(ascii: "1"), UInt8(ascii: "0")): self = .http10
        default: throw ProtocolViolation(.versionNotSupported, "only HTTP/1.0 and HTTP/1.1 are supported")
        }
    }
}
