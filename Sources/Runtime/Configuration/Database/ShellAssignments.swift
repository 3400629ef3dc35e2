/// An error in a file of assignments. Does not contain a value.
public struct ShellAssignmentsError: Error, Sendable, Equatable, CustomStringConvertible {
    public let path: String
    /// Line number from 1; nil if the file cannot be read.
    public let line: Int?
    public let problem: String

    public var description: String {
        "\(Quoted.text(path))\(line.map { ", line \($0)" } ?? ""): \(problem)"
    }
}

/// A file of shell assignments, as rendered by a Vault agent: `export PGUSER="app"`.
///
/// Quoting follows the POSIX shell (section 2.2): outside of quotes a backslash escapes the next character; within
/// single quotes no character is special; within double quotes a backslash is special only before `$`, `` ` ``, `"`,
/// `\` and a newline. Parts may be adjacent (`a"b"'c'`), quoted values may span lines, and `#` starts a comment where a
/// word could start. Nothing is expanded or executed: `$` and `` ` `` are literal, because in such a file they are
/// usually characters of a password. Commands, pipes and redirections are errors. Of two assignments to a name the last
/// is used.
public struct ShellAssignments: Sendable {
    public let values: [String: String]

    /// - Parameter path: for the errors only.
    public init(parsing bytes: [UInt8], path: String) throws(ShellAssignmentsError) {
        var parser = ShellAssignmentsParser(bytes: bytes, path: path)
        values = try parser.parse()
    }

    /// Reads and parses a file of at most 64 KiB.
    public init(contentsOf path: String) throws(ShellAssignmentsError) {
        let bytes: [UInt8]
        do {
            bytes = try SmallFile.bytes(of: path, bytesMax: 64 * 1024)
        } catch {
            throw ShellAssignmentsError(path: path, line: nil, problem: error.problem)
        }
        try self.init(parsing: bytes, path: path)
    }
}

private struct ShellAssignmentsParser {
    let bytes: [UInt8]
    let path: String
    private var position = 0
    private var line = 1

    init(bytes: [UInt8], path: String) {
        // Accepts CRLF line ends.
        self.bytes = bytes.indices.filter { index in
            bytes[index] != UInt8(ascii: "\r") || index + 1 == bytes.count || bytes[index + 1] != UInt8(ascii: "\n")
        }.map { bytes[$0] }
        self.path = path
    }

    mutating func parse() throws(ShellAssignmentsError) -> [String: String] {
        var values: [String: String] = [:]
        while true {
            skip { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\n") }
            guard let byte = peek else { return values }
            if byte == UInt8(ascii: "#") {
                skip { $0 != UInt8(ascii: "\n") }
                continue
            }
            var name = takeName()
            if name == "export", peek == UInt8(ascii: " ") || peek == UInt8(ascii: "\t") {
                skip { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
                name = takeName()
            }
            guard !name.isEmpty, peek == UInt8(ascii: "=") else {
                throw failure("is not an assignment such as export NAME=\"value\"")
            }
            advance()
            values[name] = try takeValue()
        }
    }

    /// A shell name: letters, digits and `_`, not starting with a digit; empty if there is none.
    private mutating func takeName() -> String {
        let start = position
        while let byte = peek, Self.isLetter(byte) || (position > start && Self.isDigit(byte)) { advance() }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// The value up to a blank, a newline or the end.
    private mutating func takeValue() throws(ShellAssignmentsError) -> String {
        let start = line
        var value: [UInt8] = []
        loop: while let byte = peek {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"):
                break loop
            case UInt8(ascii: "'"):
                try takeSingleQuoted(into: &value)
            case UInt8(ascii: "\""):
                try takeDoubleQuoted(into: &value)
            case UInt8(ascii: "\\"):
                advance()
                guard let next = peek else { throw failure("ends with a backslash") }
                advance()
                // A backslash before a newline continues the line.
                if next != UInt8(ascii: "\n") { value.append(next) }
            case UInt8(ascii: ";"), UInt8(ascii: "&"), UInt8(ascii: "|"), UInt8(ascii: "<"), UInt8(ascii: ">"),
                UInt8(ascii: "("), UInt8(ascii: ")"):
                throw failure("has \(Unicode.Scalar(byte)) outside of quotes")
            default:
                value.append(byte)
                advance()
            }
        }
        guard !value.contains(0), let text = String(validating: value, as: UTF8.self) else {
            throw ShellAssignmentsError(path: path, line: start, problem: "has a value that is not UTF-8 text")
        }
        return text
    }

    private mutating func takeSingleQuoted(into value: inout [UInt8]) throws(ShellAssignmentsError) {
        let start = line
        advance()
        while let byte = peek {
            advance()
            if byte == UInt8(ascii: "'") { return }
            value.append(byte)
        }
        throw ShellAssignmentsError(path: path, line: start, problem: "opens a single quote that is never closed")
    }

    private mutating func takeDoubleQuoted(into value: inout [UInt8]) throws(ShellAssignmentsError) {
        let start = line
        advance()
        while let byte = peek {
            advance()
            switch byte {
            case UInt8(ascii: "\""):
                return
            case UInt8(ascii: "\\"):
                switch peek {
                case UInt8(ascii: "$"), UInt8(ascii: "`"), UInt8(ascii: "\""), UInt8(ascii: "\\"):
                    value.append(bytes[position])
                    advance()
                case UInt8(ascii: "\n"):
                    advance()
                default:
                    value.append(byte)
                }
            default:
                value.append(byte)
            }
        }
        throw ShellAssignmentsError(path: path, line: start, problem: "opens a double quote that is never closed")
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || byte == UInt8(ascii: "_")
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private var peek: UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    private mutating func advance() {
        if bytes[position] == UInt8(ascii: "\n") { line += 1 }
        position += 1
    }

    private mutating func skip(while holds: (UInt8) -> Bool) {
        while let byte = peek, holds(byte) { advance() }
    }

    private func failure(_ problem: String) -> ShellAssignmentsError {
        ShellAssignmentsError(path: path, line: line, problem: problem)
    }
}
