/// Reads a JSON text (RFC 8259) piece by piece, in the order in which it stands, without building a tree.
///
/// Strict: no comments, no trailing commas, no leading zeros, no byte order mark, no control characters in strings,
/// and UTF-8 checked everywhere, in skipped values too. Nothing is recursive, and nothing is allocated except where
/// the result is a `String` or an array. The number of bytes is for the caller to bound.
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
/// **Errors.** After `JSONError.syntax` the reader must not be used any more. After `JSONError.type` it stands where
/// it stood before the call, so that a caller can collect several errors: it takes the next member or element, which
/// skips the value that was refused. `skip(toDepth:)` leaves containers that were entered on the way.
///
/// Asking for something out of turn, such as a second value without `nextElement` between, is a programmer's error
/// and traps; no input can cause it.
public struct JSONReader: Sendable {
    /// How many objects and arrays may be open at once. PostgreSQL, browsers and proxies bear more, people do not.
    public static let depthMax = 512

    /// What the reader was given. Offsets and ranges are indices of this array.
    public let bytes: [UInt8]
    let start: Int
    let end: Int
    var index: Int
    var turn = Turn.value
    private var containers = ContainerStack()

    /// What may be asked for.
    enum Turn {
        /// A value: at the beginning, after a key, or at an element.
        case value
        /// The first member or element of the container that was just entered, or its end.
        case first
        /// What follows a value.
        case next
    }

    public init(_ bytes: [UInt8]) {
        self.init(bytes, range: 0..<bytes.count)
    }

    /// Reads only `range` of `bytes`; lines and columns count from its beginning.
    public init(_ bytes: [UInt8], range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range outside the bytes")
        self.bytes = bytes
        start = range.lowerBound
        end = range.upperBound
        index = range.lowerBound
    }

    /// How many objects and arrays are open.
    public var depth: Int { containers.depth }

    // MARK: Containers

    /// Enters an object. Go on with `nextMember`.
    public mutating func beginObject() throws(JSONError) {
        try expect(.object)
        try open(isObject: true)
    }

    /// Enters an array. Go on with `nextElement`.
    public mutating func beginArray() throws(JSONError) {
        try expect(.array)
        try open(isObject: false)
    }

    /// The name of the next member of the innermost object, whose value then is next to be read; or nil when the
    /// object has ended, which leaves it. A member whose value has not been read is skipped.
    public mutating func nextMember() throws(JSONError) -> JSONKey? {
        precondition(containers.isInObject, "nextMember outside an object")
        guard let name = try advanceToMember() else { return nil }
        guard name.hasEscapes else {
            return JSONKey(bytes: bytes, range: name.range, wasEscaped: false, offset: name.range.lowerBound - 1)
        }
        let decoded = bytes.span.decodeString(name.range).bytes
        return JSONKey(bytes: decoded, range: 0..<decoded.count, wasEscaped: true, offset: name.range.lowerBound - 1)
    }

    /// Whether the innermost array has a further element, which then is next to be read; if not, leaves the array.
    /// An element that has not been read is skipped.
    public mutating func nextElement() throws(JSONError) -> Bool {
        precondition(containers.isInArray, "nextElement outside an array")
        if turn == .value {
            try skipValue()
        }
        skipWhitespace()
        let found = index < end ? bytes[index] : 0
        if found == UInt8(ascii: "]") {
            leave()
            return false
        }
        if turn == .next {
            guard found == UInt8(ascii: ",") else {
                throw unexpected("expected ',' or ']' after an element")
            }
            index += 1
            skipWhitespace()
            if index < end, bytes[index] == UInt8(ascii: "]") {
                throw unexpected("expected a value after ','")
            }
        }
        turn = .value
        return true
    }

    /// Skips whatever is left of the containers deeper than `depth`.
    public mutating func skip(toDepth depth: Int) throws(JSONError) {
        while containers.depth > depth {
            if turn == .value {
                try openOrSkipScalar()
            } else if containers.isInObject {
                _ = try advanceToMember()
            } else {
                _ = try nextElement()
            }
        }
    }

    /// Skips the next value, which is checked in full, and gives back the range of its bytes: they can be stored or
    /// passed on as they are, with every number, escape and repeated name kept.
    @discardableResult
    public mutating func skipValue() throws(JSONError) -> Range<Int> {
        precondition(turn == .value, "no value is next")
        skipWhitespace()
        let first = index
        let depth = containers.depth
        try openOrSkipScalar()
        try skip(toDepth: depth)
        return first..<index
    }

    /// Ends the reading: skips the document's value if it has not been read, and makes sure that only white space
    /// follows it.
    public mutating func finish() throws(JSONError) {
        precondition(containers.depth == 0, "finish inside an object or array")
        if turn == .value {
            try skipValue()
        }
        skipWhitespace()
        if index < end {
            throw unexpected("expected the end of the input after the value")
        }
    }

    // MARK: Positions and errors

    /// Line and column of a byte, for error messages. Costs a pass over the input up to there.
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
        // Most texts have none, so the loop stays out of line.
        if index < end, bytes[index] <= 0x20 {
            passWhitespace()
        }
    }

    private mutating func passWhitespace() {
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
        if turn == .value {
            try skipValue()
        }
        skipWhitespace()
        var found = index < end ? bytes[index] : 0
        if found == UInt8(ascii: "}") {
            leave()
            return nil
        }
        if turn == .next {
            guard found == UInt8(ascii: ",") else {
                throw unexpected("expected ',' or '}' after a member")
            }
            index += 1
            skipWhitespace()
            found = index < end ? bytes[index] : 0
        }
        guard found == UInt8(ascii: "\"") else {
            throw unexpected(turn == .first ? "expected a member name or '}'" : "expected a member name after ','")
        }
        let first = index + 1
        let hasEscapes = try passString()
        let name = MemberName(range: first..<index - 1, hasEscapes: hasEscapes)
        skipWhitespace()
        guard index < end, bytes[index] == UInt8(ascii: ":") else {
            throw unexpected("expected ':' after a member name")
        }
        index += 1
        turn = .value
        return name
    }

    private mutating func open(isObject: Bool) throws(JSONError) {
        guard containers.depth < Self.depthMax else {
            throw syntaxError("more than \(Self.depthMax) objects and arrays inside each other", at: index)
        }
        containers.push(isObject: isObject)
        index += 1
        turn = .first
    }

    private mutating func leave() {
        containers.pop()
        index += 1
        turn = .next
    }

    private mutating func openOrSkipScalar() throws(JSONError) {
        switch try peekKind() {
        case .object: try open(isObject: true)
        case .array: try open(isObject: false)
        case .string:
            try passString()
            turn = .next
        case .number:
            try passNumber()
            turn = .next
        case .bool, .null:
            try passLiteral()
            turn = .next
        }
    }
}
