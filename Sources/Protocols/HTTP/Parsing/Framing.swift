/// The body length and the persistence of the connection, as declared by the fields of a head (RFC 9112 sections 6
/// and 9). Ambiguous declarations are rejected, because two recipients could read them differently.
struct Framing: Sendable, Equatable {
    /// The value of `Content-Length`, in bytes; `Int.max` for larger values.
    private(set) var contentLength: Int?
    private(set) var isChunked = false
    private var hasSeveralCodings = false
    private var hasTransferEncoding = false
    private(set) var asksToClose = false
    private(set) var asksToKeepAlive = false

    /// Applies a field. Fields without an effect on framing are ignored.
    mutating func apply(
        _ field: KnownField, _ bytes: Span<UInt8>, _ value: Range<Int>
    ) throws(ProtocolViolation) {
        switch field {
        case .contentLength:
            guard contentLength == nil else {
                throw ProtocolViolation("Content-Length is given more than once")
            }
            contentLength = try Self.parseLength(bytes, value)
        case .transferEncoding:
            guard !hasTransferEncoding else {
                throw ProtocolViolation("Transfer-Encoding is given more than once")
            }
            hasTransferEncoding = true
            isChunked = bytes.equals(value, lowercase: "chunked")
            hasSeveralCodings = value.contains { bytes[$0] == UInt8(ascii: ",") }
        case .connection:
            applyConnectionOptions(bytes, value)
        default: break
        }
    }

    /// Checks the relations between fields after the last one (RFC 9112 section 6.1).
    func check(_ version: Version) throws(ProtocolViolation) {
        guard hasTransferEncoding else { return }
        guard contentLength == nil else {
            throw ProtocolViolation("Content-Length and Transfer-Encoding are given together")
        }
        guard version == .http11 else {
            throw ProtocolViolation("Transfer-Encoding is not allowed in HTTP/1.0")
        }
        guard !hasSeveralCodings else {
            throw ProtocolViolation("Transfer-Encoding must be \"chunked\" alone")
        }
        guard isChunked else {
            throw ProtocolViolation(.notImplemented, "the only supported Transfer-Encoding is \"chunked\"")
        }
    }

    /// Whether the head allows another message on the connection (RFC 9112 section 9.3).
    func keepsAlive(_ version: Version) -> Bool {
        if asksToClose { return false }
        return version == .http11 || asksToKeepAlive
    }

    /// Parses `1*DIGIT`, without sign, list or inner white space (RFC 9110 section 8.6).
    private static func parseLength(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(ProtocolViolation) -> Int {
        guard !range.isEmpty else { throw ProtocolViolation("Content-Length is empty") }
        var length = 0
        for index in range {
            guard bytes[index].isDigit else {
                throw ProtocolViolation("Content-Length is not a decimal number")
            }
            let (tens, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(Int(bytes[index] - UInt8(ascii: "0")))
            length = overflow || carry ? Int.max : sum
        }
        return length
    }

    private mutating func applyConnectionOptions(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound, bytes[end] != UInt8(ascii: ",") { end += 1 }
            var option = start..<end
            while let first = option.first, bytes[first].isBlank { option = first + 1..<option.upperBound }
            while let last = option.last, bytes[last].isBlank { option = option.lowerBound..<last }
            if bytes.equals(option, lowercase: "close") {
                asksToClose = true
            } else if bytes.equals(option, lowercase: "keep-alive") {
                asksToKeepAlive = true
            }
            start = end + 1
        }
    }
}
