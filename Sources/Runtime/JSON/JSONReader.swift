/// A pull parser for JSON texts (RFC 8259): the caller reads values in document order, without a tree.
///
/// Strict: no comments, no trailing commas, no leading zeros, no byte order mark, no control characters in strings.
/// UTF-8 is checked everywhere, in skipped values too. The parser is not recursive, and allocates only for results of
/// type `String` or array. The caller limits the number of bytes.
///
///     var reader = JSONReader(body)
///     try reader.beginObject()
///     while let key = try reader.nextMember() {
///         switch key {
///         case "type": type = try reader.readString()
///         case "payload": payload = try reader.skipValue()
///         default: unknown.append(key.text)
///         }
///     }
///     try reader.finish()
///
/// **Errors.** After `JSONError.syntax` the reader must not be used again. After `JSONError.type` its position is that
/// before the call, so that a caller can collect several errors: the next member or element skips the rejected value.
/// `skip(toDepth:)` leaves containers that were entered in between.
///
/// A call that the position does not allow, such as a second value without `nextElement`, is a programming error and
/// traps. No input can cause it.
public struct JSONReader: Sendable {
    /// Maximum nesting depth of objects and arrays. Lower than in PostgreSQL, browsers and proxies, but higher than in
    /// documents written by people.
    public static let depthMax = 512

    /// The input. Offsets and ranges are indices of this array.
    public let bytes: [UInt8]
    let start: Int
    let end: Int
    var index: Int
    var expected = Expected.value
    private var containers = ContainerStack()

    /// What the grammar allows next.
    enum Expected {
        /// A value: at the start, after a key, or at an element.
        case value
        /// The first member or element of the current container, or its end.
        case first
        /// A comma, or the end of the current container.
        case next
    }

    public init(_ bytes: [UInt8]) {
        self.init(bytes, range: 0..<bytes.count)
    }

    /// Reads only `range` of `bytes`. Lines and columns count from its start.
    public init(_ bytes: [UInt8], range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "the range is outside the bytes")
        self.bytes = bytes
        start = range.lowerBound
        end = range.upperBound
        index = range.lowerBound
    }

    /// Number of open objects and arrays.
    public var depth: Int { containers.depth }

    // MARK: Containers

    /// Enters an object. Continue with `nextMember`.
    public mutating func beginObject() throws(JSONError) {
        try expect(.object)
        try open(isObject: true)
    }

    /// Enters an array. Continue with `nextElement`.
    public mutating func beginArray() throws(JSONError) {
        try expect(.array)
        try open(isObject: false)
    }

    /// The name of the next member of the innermost object, whose value is read next. Nil at the end of the object,
    /// which leaves it. Skips the value of the previous member if it has not been read.
    public mutating func nextMember() throws(JSONError) -> JSONKey? {
        precondition(containers.isInObject, "nextMember outside an object")
        guard let name = try advanceToMember() else { return nil }
        guard name.hasEscapes else {
            return JSONKey(bytes: bytes, range: name.range, wasEscaped: false, offset: name.range.lowerBound - 1)
        }
        let decoded = bytes.span.decodeString(name.range).bytes
        return JSONKey(bytes: decoded, range: 0..<decoded.count, wasEscaped: true, offset: name.range.lowerBound - 1)
    }

    /// Advances to the next element of the innermost array, which is read next. Returns false at the end of the array,
    /// and leaves it. Skips the previous element if it has not been read.
    public mutating func nextElement() throws(JSONError) -> Bool {
        precondition(containers.isInArray, "nextElement outside an array")
        if expected == .value {
            try skipValue()
        }
        skipWhitespace()
        let found = index < end ? bytes[index] : 0
        if found == UInt8(ascii: "]") {
            leaveContainer()
            return false
        }
        if expected == .next {
            guard found == UInt8(ascii: ",") else {
                throw unexpected("expected ',' or ']' after an element")
            }
            index += 1
            skipWhitespace()
            if index < end, bytes[index] == UInt8(ascii: "]") {
                throw unexpected("expected a value after ','")
            }
        }
        expected = .value
        return true
    }

    /// Skips the rest of all containers deeper than `depth`.
    public mutating func skip(toDepth depth: Int) throws(JSONError) {
        while containers.depth > depth {
            if expected == .value {
                try openOrSkipScalar()
            } else if containers.isInObject {
                _ = try advanceToMember()
            } else {
                _ = try nextElement()
            }
        }
    }

    /// Skips the next value and checks it completely. Returns the range of its bytes, which can be stored or forwarded
    /// unchanged, with all numbers, escapes and repeated names.
    @discardableResult
    public mutating func skipValue() throws(JSONError) -> Range<Int> {
        precondition(expected == .value, "a value is not expected here")
        skipWhitespace()
        let first = index
        let depth = containers.depth
        try openOrSkipScalar()
        try skip(toDepth: depth)
        return first..<index
    }

    /// Ends reading: skips the document's value if it has not been read, and checks that only white space follows.
    public mutating func finish() throws(JSONError) {
        precondition(containers.depth == 0, "finish inside an object or array")
        if expected == .value {
            try skipValue()
        }
        skipWhitespace()
        if index < end {
            throw unexpected("expected the end of the input after the value")
        }
    }

    // MARK: Positions and errors

    /// Line and column of a byte, for error messages. Takes a pass over the input up to the byte.
    public func position(of offset: Int) -> JSONPosition {
        JSONPosition(of: offset, in: bytes, from: start)
    }

    func syntaxError(_ message: String, at offset: Int) -> JSONError {
        .syntax(JSONSyntaxError(message: message, position: position(of: offset)))
    }

    func syntaxError(_ fault: ScanFault, at offset: Int) -> JSONError {
        syntaxError(bytes.span.extracting(..<end).message(for: fault, at: offset), at: offset)
    }

    /// A syntax error at the next byte.
    func unexpected(_ expectation: String) -> JSONError {
        guard index < end else {
            return syntaxError("unexpected end of input: \(expectation)", at: index)
        }
        return syntaxError("\(expectation), found \(bytes.span.extracting(..<end).describe(at: index))", at: index)
    }

    // MARK: Grammar

    @inline(__always)
    mutating func skipWhitespace() {
        // Most texts have no white space, so the loop is in a separate function.
        if index < end, bytes[index] <= 0x20 {
            consumeWhitespace()
        }
    }

    private mutating func consumeWhitespace() {
        while index < end {
            switch bytes[index] {
            case 0x20, 0x0A, 0x0D, 0x09: index += 1
            default: return
            }
        }
    }

    private struct MemberName {
        var range: Range<Int>
        var hasEscapes: Bool
    }

    /// Reads the comma, the name and the colon, or the closing brace.
    private mutating func advanceToMember() throws(JSONError) -> MemberName? {
        if expected == .value {
            try skipValue()
        }
        skipWhitespace()
        var found = index < end ? bytes[index] : 0
        if found == UInt8(ascii: "}") {
            leaveContainer()
            return nil
        }
        if expected == .next {
            guard found == UInt8(ascii: ",") else {
                throw unexpected("expected ',' or '}' after a member")
            }
            index += 1
            skipWhitespace()
            found = index < end ? bytes[index] : 0
        }
        guard found == UInt8(ascii: "\"") else {
            throw unexpected(expected == .first ? "expected a member name or '}'" : "expected a member name after ','")
        }
        let first = index + 1
        let hasEscapes = try consumeString()
        let name = MemberName(range: first..<index - 1, hasEscapes: hasEscapes)
        skipWhitespace()
        guard index < end, bytes[index] == UInt8(ascii: ":") else {
            throw unexpected("expected ':' after a member name")
        }
        index += 1
        expected = .value
        return name
    }

    private mutating func open(isObject: Bool) throws(JSONError) {
        guard containers.depth < Self.depthMax else {
            throw syntaxError("objects and arrays are nested deeper than \(Self.depthMax) levels", at: index)
        }
        containers.push(isObject: isObject)
        index += 1
        expected = .first
    }

    private mutating func leaveContainer() {
        containers.pop()
        index += 1
        expected = .next
    }

    private mutating func openOrSkipScalar() throws(JSONError) {
        switch try peekKind() {
        case .object: try open(isObject: true)
        case .array: try open(isObject: false)
        case .string:
            try consumeString()
            expected = .next
        case .number:
            try consumeNumber()
            expected = .next
        case .bool, .null:
            try consumeLiteral()
            expected = .next
        }
    }
}
