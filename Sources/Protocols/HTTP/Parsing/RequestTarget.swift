internal import Values

/// Where the parts of a request target stand in the head (RFC 9112 section 3.2).
struct RequestTarget: Sendable, Equatable {
    /// With its leading slash and still escaped; empty in absolute form without a path, which means "/".
    private(set) var path = ByteRange.empty
    /// Without the question mark and still escaped; nil without a question mark.
    private(set) var query: ByteRange?
    /// Of the absolute form: it counts, and the Host field does not (RFC 9112 section 3.2.2).
    private(set) var authority: ByteRange?
    /// `*`: the server as a whole.
    private(set) var isAsterisk = false
    /// Whether the path holds escapes (`%41`), all of them well formed.
    private(set) var pathHasEscapes = false

    /// - Parameter start: where the head starts in `bytes`; `range` is relative to it, and so is the result.
    init(_ bytes: Span<UInt8>, from start: Int, _ range: ByteRange, method: Method) throws(ProtocolViolation) {
        guard !range.isEmpty else { throw ProtocolViolation("the request target is empty") }
        let first = bytes[start + range.lowerBound]
        if first == UInt8(ascii: "/") {
            try readPathAndQuery(bytes, from: start, range.lowerBound, range.upperBound)
        } else if range.count == 1, first == UInt8(ascii: "*") {
            guard method == .options else { throw ProtocolViolation("the target \"*\" is for OPTIONS only") }
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

    /// The length of the character or escape at `index`, both of which RFC 3986 must allow.
    private static func unitLength(
        _ bytes: Span<UInt8>, _ index: Int, _ end: Int, _ hasEscapes: inout Bool
    ) throws(ProtocolViolation) -> Int {
        let byte = bytes[index]
        if byte.isPath { return 1 }
        guard byte == UInt8(ascii: "%") else {
            throw ProtocolViolation("the request target holds a character that a URI must escape")
        }
        guard end - index >= 3, Hexadecimal.value(bytes[index + 1]) != nil, Hexadecimal.value(bytes[index + 2]) != nil
        else {
            throw ProtocolViolation("the request target holds \"%\" without two hexadecimal digits")
        }
        hasEscapes = true
        return 3
    }
}

/// Whether the bytes are `uri-host [ ":" port ]` (RFC 9110 section 7.2, RFC 3986 section 3.2). The Host
/// field may be empty (of a URI without authority); the authority of an http URI may not.
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
