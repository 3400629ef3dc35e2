/// Splits an SQL file into statements, like `psql` (`psqlscan.l`).
///
/// The extended protocol accepts one statement at a time, `CREATE INDEX CONCURRENTLY` must be alone in its message, and
/// an error can be reported with the line of its statement. A semicolon ends a statement unless it is within a string,
/// a quoted identifier, a dollar-quoted body, a comment, parentheses, or the `BEGIN ATOMIC ... END` of a routine.
struct SQLScript {
    struct Statement: Equatable {
        /// The text without leading comments and the final semicolon.
        let text: String
        /// Line of its start, from 1.
        let line: Int
    }

    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var statements: [Statement] = []

    /// Start of the current statement; nil between statements.
    private var start: (offset: Int, line: Int)?
    private var parenthesisDepth = 0
    private var words: [String] = []
    private var blockDepth = 0

    static func statements(of text: String) -> [Statement] {
        var script = SQLScript(bytes: Array(text.utf8))
        script.scan()
        return script.statements
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private mutating func scan() {
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "-") where byte(after: 1) == UInt8(ascii: "-"): skipLine()
            case UInt8(ascii: "/") where byte(after: 1) == UInt8(ascii: "*"): skipBlockComment()
            case UInt8(ascii: "'"):
                begin()
                skipQuoted(by: UInt8(ascii: "'"), escapes: isEscapeString)
            case UInt8(ascii: "\""):
                begin()
                skipQuoted(by: UInt8(ascii: "\""), escapes: false)
            case UInt8(ascii: "$"):
                begin()
                skipDollarQuoted()
            case UInt8(ascii: "("):
                begin()
                parenthesisDepth += 1
                advance()
            case UInt8(ascii: ")"):
                begin()
                parenthesisDepth = max(0, parenthesisDepth - 1)
                advance()
            case UInt8(ascii: ";") where parenthesisDepth == 0 && blockDepth == 0:
                endStatement()
                advance()
            case let byte where SQLScript.isWordStart(byte):
                begin()
                takeWord()
            case let byte:
                if !SQLScript.isSpace(byte) { begin() }
                advance()
            }
        }
        endStatement()
    }

    private mutating func begin() {
        if start == nil { start = (position, line) }
    }

    private mutating func endStatement() {
        guard let start else { return }
        var end = position
        while end > start.offset, SQLScript.isSpace(bytes[end - 1]) { end -= 1 }
        let text = String(decoding: bytes[start.offset..<end], as: UTF8.self)
        statements.append(Statement(text: text, line: start.line))
        self.start = nil
        parenthesisDepth = 0
        blockDepth = 0
        words = []
    }

    private mutating func advance() {
        if bytes[position] == UInt8(ascii: "\n") { line += 1 }
        position += 1
    }

    private func byte(after distance: Int) -> UInt8? {
        position + distance < bytes.count ? bytes[position + distance] : nil
    }

    private mutating func skipLine() {
        while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
    }

    /// Skips a block comment. Unlike in C, block comments nest.
    private mutating func skipBlockComment() {
        var depth = 0
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "/"), byte(after: 1) == UInt8(ascii: "*") {
                depth += 1
                position += 2
            } else if bytes[position] == UInt8(ascii: "*"), byte(after: 1) == UInt8(ascii: "/") {
                depth -= 1
                position += 2
                if depth == 0 { return }
            } else {
                advance()
            }
        }
    }

    /// Whether the string is `E'...'`, the only kind in which a backslash is an escape.
    private var isEscapeString: Bool {
        guard position > 0, bytes[position - 1] | 0x20 == UInt8(ascii: "e") else { return false }
        return position == 1 || !SQLScript.isWordPart(bytes[position - 2])
    }

    private mutating func skipQuoted(by quote: UInt8, escapes: Bool) {
        advance()
        while position < bytes.count {
            let byte = bytes[position]
            advance()
            if byte == quote { return }
            if escapes, byte == UInt8(ascii: "\\"), position < bytes.count { advance() }
        }
    }

    /// Skips `$tag$ ... $tag$`. A dollar sign that does not start a tag (`$1`) is an ordinary character.
    private mutating func skipDollarQuoted() {
        var end = position + 1
        while end < bytes.count, SQLScript.isWordPart(bytes[end]), bytes[end] != UInt8(ascii: "$") { end += 1 }
        let isTag = end < bytes.count && bytes[end] == UInt8(ascii: "$") && !SQLScript.isDigit(bytes[position + 1])
        guard isTag else { return advance() }
        let tag = bytes[position...end]
        position = end + 1
        while position < bytes.count {
            if bytes[position...].starts(with: tag) {
                position += tag.count
                return
            }
            advance()
        }
    }

    /// Reads a word, and counts the nested blocks in the standard SQL body of a routine.
    private mutating func takeWord() {
        let from = position
        while position < bytes.count, SQLScript.isWordPart(bytes[position]) { position += 1 }
        let word = String(decoding: bytes[from..<position], as: UTF8.self).lowercased()
        if words.count < 4 { words.append(word) }
        guard isRoutine else { return }
        switch word {
        case "begin": blockDepth += 1
        case "case" where blockDepth > 0: blockDepth += 1
        case "end" where blockDepth > 0: blockDepth -= 1
        default: break
        }
    }

    /// Whether the statement is `CREATE [OR REPLACE] FUNCTION` or `PROCEDURE`.
    private var isRoutine: Bool {
        guard words.first == "create" else { return false }
        let kind = words.dropFirst().first { $0 != "or" && $0 != "replace" }
        return kind == "function" || kind == "procedure"
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isWordStart(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_") || byte >= 0x80
    }

    private static func isWordPart(_ byte: UInt8) -> Bool {
        isWordStart(byte) || isDigit(byte) || byte == UInt8(ascii: "$")
    }
}
