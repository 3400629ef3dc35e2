/// A Swift file, taken apart into what is code and what is text.
struct SwiftSource {
    struct Literal: Equatable {
        var line: Int
        /// As it is written, without its quotes and with `\(...)` where something is interpolated.
        var text: String
        /// What stands between the parentheses of each `\(...)`.
        var interpolations: [String]
    }

    let path: String
    /// The lines of the file without comments, and with the contents of string literals left out.
    let codeLines: [String]
    let literals: [Literal]

    init(path: String, text: String) {
        self.path = path
        var scanner = SwiftScanner(text)
        scanner.scan()
        codeLines = scanner.code.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        literals = scanner.literals
    }

    /// The name of the target: `Jobs` of Sources/Capabilities/Jobs/Rules/X.swift, `Api` of Sources/Api/X.swift.
    var target: String {
        let parts = path.split(separator: "/").map(String.init)
        let isInLayer = ["CBoundary", "Runtime", "Protocols", "Capabilities"].contains(parts.count > 3 ? parts[1] : "")
        return isInLayer ? parts[2] : parts.count > 2 ? parts[1] : ""
    }

    var lineCount: Int { codeLines.count - (codeLines.last == "" ? 1 : 0) }

    /// Every match in the code, with its line and what the capture holds.
    func matches(_ regex: some RegexComponent<(Substring, Substring)>) -> [(line: Int, captured: String)] {
        codeLines.enumerated().flatMap { index, line in
            line.matches(of: regex).map { (line: index + 1, captured: String($0.output.1)) }
        }
    }
}

/// Tells code, comments and string literals apart. Regex literals are taken for code.
struct SwiftScanner {
    private static let openers = Array("/\"#".utf8)

    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private(set) var code: [UInt8] = []
    private(set) var literals: [SwiftSource.Literal] = []

    init(_ text: String) {
        bytes = Array(text.utf8)
    }

    mutating func scan() {
        while position < bytes.count {
            // The only bytes that can begin a comment or a literal; most are none of them.
            guard Self.openers.contains(bytes[position]) else {
                code.append(take())
                continue
            }
            if starts("//") {
                skipLineComment()
            } else if starts("/*") {
                skipBlockComment()
            } else if let hashes = openingHashes() {
                scanLiteral(hashes: hashes)
            } else {
                code.append(take())
            }
        }
    }

    private func starts(_ text: StaticString, at offset: Int = 0) -> Bool {
        let start = position + offset
        let count = text.utf8CodeUnitCount
        guard start + count <= bytes.count else { return false }
        return text.withUTF8Buffer { $0.elementsEqual(bytes[start..<(start + count)]) }
    }

    private mutating func take() -> UInt8 {
        let byte = bytes[position]
        position += 1
        if byte == UInt8(ascii: "\n") { line += 1 }
        return byte
    }

    private mutating func skipLineComment() {
        while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
    }

    /// They nest. Their line feeds stay, so that the lines of the code keep their numbers.
    private mutating func skipBlockComment() {
        var depth = 0
        repeat {
            if starts("/*") {
                depth += 1
                position += 2
            } else if starts("*/") {
                depth -= 1
                position += 2
            } else if take() == UInt8(ascii: "\n") {
                code.append(UInt8(ascii: "\n"))
            }
        } while depth > 0 && position < bytes.count
    }

    /// How many `#` stand before the quote that opens a literal here; nil when none opens.
    private func openingHashes() -> Int? {
        var hashes = 0
        while position + hashes < bytes.count, bytes[position + hashes] == UInt8(ascii: "#") { hashes += 1 }
        return starts("\"", at: hashes) ? hashes : nil
    }

    private mutating func scanLiteral(hashes: Int) {
        var literal = SwiftSource.Literal(line: line, text: "", interpolations: [])
        position += hashes
        let isMultiline = starts("\"\"\"")
        let quotes = isMultiline ? 3 : 1
        position += quotes
        let closing = [UInt8](repeating: UInt8(ascii: "\""), count: quotes) + hashMarks(hashes)
        let escape = [UInt8(ascii: "\\")] + hashMarks(hashes)
        let interpolation = escape + [UInt8(ascii: "(")]
        var text: [UInt8] = []
        code.append(UInt8(ascii: "\""))
        while position < bytes.count, !has(closing) {
            if has(interpolation) {
                position += interpolation.count
                literal.interpolations.append(scanInterpolation())
                text += Array("\\(...)".utf8)
            } else if has(escape), position + escape.count < bytes.count {
                for _ in 0...escape.count { text.append(takeKeepingLines()) }
            } else if !isMultiline, bytes[position] == UInt8(ascii: "\n") {
                break
            } else {
                text.append(takeKeepingLines())
            }
        }
        position = min(position + closing.count, bytes.count)
        code.append(UInt8(ascii: "\""))
        literal.text = String(decoding: text, as: UTF8.self)
        literals.append(literal)
    }

    private func hashMarks(_ count: Int) -> [UInt8] { [UInt8](repeating: UInt8(ascii: "#"), count: count) }

    private func has(_ pattern: [UInt8]) -> Bool { bytes[position...].starts(with: pattern) }

    private mutating func takeKeepingLines() -> UInt8 {
        let byte = take()
        if byte == UInt8(ascii: "\n") { code.append(byte) }
        return byte
    }

    /// From behind `\(` to behind its `)`. What is interpolated is code too, and may hold literals of its own.
    private mutating func scanInterpolation() -> String {
        let start = position
        var depth = 1
        while position < bytes.count {
            if let hashes = openingHashes() {
                scanLiteral(hashes: hashes)
                continue
            }
            let byte = take()
            if byte == UInt8(ascii: "(") { depth += 1 }
            if byte == UInt8(ascii: ")") { depth -= 1 }
            if depth == 0 { break }
            code.append(byte)
        }
        return String(decoding: bytes[start..<max(start, position - 1)], as: UTF8.self)
    }
}
