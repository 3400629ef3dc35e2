/// Why reading stopped, or why one value was refused.
public enum JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The input is not JSON: nothing after this place can be trusted, and reading cannot go on.
    case syntax(JSONSyntaxError)
    /// The input is JSON so far, but not the value that was asked for. The reader has not moved: the caller may
    /// read the value as something else or go on with the next one, which skips it.
    case type(JSONTypeError)

    public var description: String {
        switch self {
        case .syntax(let error): error.description
        case .type(let error): error.description
        }
    }
}

/// A place where the input breaks the grammar of RFC 8259, is not UTF-8, or is nested too deeply.
public struct JSONSyntaxError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was expected and what was found, without the place.
    public let message: String
    public let position: JSONPosition

    public init(message: String, position: JSONPosition) {
        self.message = message
        self.position = position
    }

    /// For example `expected ',' or '}' after a member, found 'x' at line 3, column 7`.
    public var description: String { "\(message) at \(position)" }
}

/// A well-formed value that is of another kind than the one asked for, or outside its range.
public struct JSONTypeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// For example `a string` or `an integer from 0 to 255`.
    public let expected: String
    /// For example `a number` or `256`.
    public let found: String
    /// Where the value begins in the reader's bytes. `JSONReader.position(of:)` turns it into line and column; that
    /// costs a pass over the input, which is why it is not done for every error.
    public let offset: Int

    public init(expected: String, found: String, offset: Int) {
        self.expected = expected
        self.found = found
        self.offset = offset
    }

    /// For example `expected a string, found a number`.
    public var description: String { "expected \(expected), found \(found)" }
}

/// A place in a text.
public struct JSONPosition: Equatable, Sendable, CustomStringConvertible {
    /// Bytes from the beginning of the array that the reader was given.
    public let offset: Int
    /// From 1, counted by line feeds from where the reader began.
    public let line: Int
    /// From 1, in Unicode scalars (not in bytes, and not in what a reader would call characters).
    public let column: Int

    public init(offset: Int, line: Int, column: Int) {
        self.offset = offset
        self.line = line
        self.column = column
    }

    /// Counts lines and columns from `start` to `offset`. A byte that is no UTF-8 counts as a scalar unless it
    /// looks like a continuation byte.
    init(of offset: Int, in bytes: [UInt8], from start: Int) {
        var line = 1
        var column = 1
        for byte in bytes[start..<offset] {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        self.init(offset: offset, line: line, column: column)
    }

    public var description: String { "line \(line), column \(column)" }
}

/// What a value is, told from its first byte.
public enum JSONKind: Equatable, Sendable {
    case null
    case bool
    case number
    case string
    case array
    case object

    /// For error messages: `a string`, `an object`, `null`.
    public var phrase: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}
