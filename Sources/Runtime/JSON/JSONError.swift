/// An error of `JSONReader`.
public enum JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The input is not valid JSON. Reading cannot continue.
    case syntax(JSONSyntaxError)
    /// The value has another type or range than requested. The reader has not moved: the caller may read the value as
    /// another type, or continue with the next member or element, which skips the value.
    case type(JSONTypeError)

    public var description: String {
        switch self {
        case .syntax(let error): error.description
        case .type(let error): error.description
        }
    }
}

/// A violation of the grammar of RFC 8259, invalid UTF-8, or excessive nesting.
public struct JSONSyntaxError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was expected and what was found, without the position.
    public let message: String
    public let position: JSONPosition

    public init(message: String, position: JSONPosition) {
        self.message = message
        self.position = position
    }

    /// For example `expected ',' or '}' after a member, found 'x' at line 3, column 7`.
    public var description: String { "\(message) at \(position)" }
}

/// A well-formed value of another type than requested, or outside its range.
public struct JSONTypeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// For example `a string` or `an integer from 0 to 255`.
    public let expected: String
    /// For example `a number` or `256`.
    public let found: String
    /// Start of the value in the reader's bytes. `JSONReader.position(of:)` converts it to line and column; that takes
    /// a pass over the input and is therefore not done for every error.
    public let offset: Int

    public init(expected: String, found: String, offset: Int) {
        self.expected = expected
        self.found = found
        self.offset = offset
    }

    /// For example `expected a string, found a number`.
    public var description: String { "expected \(expected), found \(found)" }
}

/// A position in a text.
public struct JSONPosition: Equatable, Sendable, CustomStringConvertible {
    /// Index in the reader's `bytes`.
    public let offset: Int
    /// Line number from 1, counted by line feeds from the start of the reader's range.
    public let line: Int
    /// Column from 1, in Unicode scalars.
    public let column: Int

    public init(offset: Int, line: Int, column: Int) {
        self.offset = offset
        self.line = line
        self.column = column
    }

    /// Counts lines and columns from `start` to `offset`. A byte that is not valid UTF-8 counts as a scalar, unless it
    /// has the form of a continuation byte.
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

/// The type of a value, determined by its first byte.
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
