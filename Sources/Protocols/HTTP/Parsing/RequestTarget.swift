internal import Values

/// The parts of a request target, as ranges into the head (RFC 9112 section 3.2).
struct RequestTarget: Sendable, Equatable {
    /// With its leading slash, percent-encoded; empty in absolute form without a path, which means "/".
    private(set) var path = ByteRange.empty
    /// Without the question mark, percent-encoded; nil without a question mark.
    private(set) var query: ByteRange?
    /// The authority of an absolute form. It takes precedence over the Host field (RFC 9112 section 3.2.2).
    private(set) var authority: ByteRange?
    /// Whether the target is `*`, the server as a whole.
    private(set) var isAsterisk = false
    /// Whether the path contains escapes (`%41`). All of them are well formed.
    private(set) var pathHasEscapes = false

    /// - Parameters:
    ///   - start: index in `bytes` at which the head starts.
    ///   - range: range of the target, relative to `start`, as are the parsed ranges.
    init(_ bytes: Span<UInt8>, from start: Int, _ range: ByteRange, method: Method) throws(ProtocolViolation) {
        guard !range.isEmpty else { throw ProtocolViolation("the request target is empty") }
        let first = bytes[start + range.lowerBound]
        if first == UInt8(ascii: "/") {
            try readPathAndQuery(bytes, from: start, range.lowerBound, range.upperBound)
        } else if range.count == 1, first == UInt8(ascii: "*") {
            guard method == .options else { throw ProtocolViolation("the target \"*\" is allowed for OPTIONS only") }
            isAsterisk = true
        } else {
            try readAbsolute(bytes, from: start, range)
        }
    }

    private mutating func readAbsolute(
        _ bytes: Span<UInt8>, from start: Int, _ range: ByteRange
    ) throws(ProtocolViolation) {
        var authorityStart = start + range.lowerBound
        let end = start + range.upperBound
        if end - authorityStart >= 7, bytes.equals(authorityStart..<authorityStart + 7, lowercase: "http://") {
            authorityStart += 7
        } else if end - authorityStart >= 8, bytes.equals(authorityStart..<authorityStart + 8, lowercase: "https://") {
            authorityStart += 8
        } else {
            throw ProtocolViolation("the request target is neither a path nor an http or https URI")
        }
        var authorityEnd = authorityStart
        while authorityEnd < end, bytes[authorityEnd] != UInt8(ascii: "/"), bytes[authorityEnd] != UInt8(ascii: "?") {
            authorityEnd += 1
        }
        guard isAuthority(bytes, authorityStart..<authorityEnd, mayBeEmpty: false) else {
            throw ProtocolViolation("the authority of the request target is not host[:port]")
        }
        authority = ByteRange(authorityStart - start, authorityEnd - start)
        try readPathAndQuery(bytes, from: start, authorityEnd - start, range.upperBound)
    }

    private mutating func readPathAndQuery(
        _ bytes: Span<UInt8>, from start: Int, _ lower: Int, _ upper: Int
    ) throws(ProtocolViolation) {
        let end = start + upper
        var index = start + lower
        var hasEscapes = false
        while index < end, bytes[index] != UInt8(ascii: "?") {
            index += try Self.unitLength(bytes, index, end, &hasEscapes)
        }
        path = ByteRange(lower, index - start)
        pathHasEscapes = hasEscapes
        guard index < end else { return }
        index += 1
        query = ByteRange(index - start, upper)
        while index < end {
            if bytes[index] == UInt8(ascii: "?") {
                index += 1
            } else {
                index += try Self.unitLength(bytes, index, end, &hasEscapes)
            }
        }
    }

    /// The length of the character or escape at `index`. Throws if RFC 3986 does not allow it.
    private static func unitLength(
        _ bytes: Span<UInt8>, _ index: Int, _ end: Int, _ hasEscapes: inout Bool
    ) throws(ProtocolViolation) -> Int {
        let byte = bytes[index]
        if byte.isPath { return 1 }
        guard byte == UInt8(ascii: "%") else {
            throw ProtocolViolation("the request target contains a character that must be percent-encoded")
        }
        guard end - index >= 3, Hexadecimal.value(bytes[index + 1]) != nil, Hexadecimal.value(bytes[index + 2]) != nil
        else {
            throw ProtocolViolation("the request target contains \"%\" without two hexadecimal digits")
        }
        hasEscapes = true
        return 3
    }
}

/// Whether the bytes are `uri-host [ ":" port ]` (RFC 9110 section 7.2, RFC 3986 section 3.2).
/// - Parameter mayBeEmpty: true for the Host field, which is empty for a URI without authority; false for the authority
///   of an http URI.
func isAuthority(_ bytes: Span<UInt8>, _ range: Range<Int>, mayBeEmpty: Bool) -> Bool {
    var index = range.lowerBound
    let end = range.upperBound
    if index < end, bytes[index] == UInt8(ascii: "[") {
        index += 1
        let literalStart = index
        while index < end, bytes[index] != UInt8(ascii: "]") {
            guard bytes[index].isRegisteredName || bytes[index] == UInt8(ascii: ":") else { return false }
            index += 1
        }
        guard index < end, index > literalStart else { return false }
        index += 1
    } else {
        while index < end, bytes[index] != UInt8(ascii: ":") {
            if bytes[index] == UInt8(ascii: "%") {
                guard end - index >= 3, Hexadecimal.value(bytes[index + 1]) != nil,
                    Hexadecimal.value(bytes[index + 2]) != nil
                else { return false }
                index += 3
            } else {
                guard bytes[index].isRegisteredName else { return false }
                index += 1
            }
        }
        if index == range.lowerBound { return mayBeEmpty && range.isEmpty }
    }
    guard index < end else { return true }
    guard bytes[index] == UInt8(ascii: ":") else { return false }
    index += 1
    while index < end {
        guard bytes[index].isDigit else { return false }
        index += 1
    }
    return true
}
