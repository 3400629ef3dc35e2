/// What may not stand in a Swift file.
enum CodeStyle {
    static let linesMax = 600

    /// Where code may be unsafe: C is called, or memory is shared with the kernel.
    static let unsafeTargets: Set<String> = ["CLinux", "CLibPQ", "COpenSSL", "EventLoop", "TLS", "Postgres"]

    /// Names that tell nothing of what a type is for.
    static let emptySuffixes = ["Manager", "Helper", "Helpers", "Utils", "Util", "Common", "Base", "Impl"]

    static func tooLong(_ source: SwiftSource) -> [Finding] {
        guard source.lineCount > linesMax else { return [] }
        return [
            Finding(
                path: source.path, line: nil,
                message: "has \(source.lineCount) lines (at most \(linesMax)): more than one subject?")
        ]
    }

    static func unsafeCode(_ source: SwiftSource) -> [Finding] {
        guard !unsafeTargets.contains(source.target) else { return [] }
        return source.matches(/(@unchecked|nonisolated\s*\(\s*unsafe\s*\)|\w*[uU]nsafe\w*)/).map {
            Finding(
                path: source.path, line: $0.line,
                message: "\($0.captured): unsafe code belongs in \(unsafeTargets.sorted().joined(separator: ", "))")
        }
    }

    static func typeNames(_ source: SwiftSource) -> [Finding] {
        source.matches(/\b(?:class|struct|enum|actor|protocol|typealias)\s+([A-Z]\w*)/).compactMap { line, name in
            if name == source.target {
                return Finding(path: source.path, line: line, message: "\(name) bears its module's name")
            }
            guard let suffix = emptySuffixes.first(where: name.hasSuffix) else { return nil }
            return Finding(
                path: source.path, line: line, message: "\(name): \(suffix) does not say what the type is for")
        }
    }

    static let promises = ["TODO", "FIXME", "XXX"]

    static func unfinished(path: String, text: String) -> [Finding] {
        text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
            .flatMap { index, line in
                promises.filter { hasWord($0, in: line) }.map {
                    Finding(path: path, line: index + 1, message: "\($0) promises work that is not done")
                }
            }
    }

    /// By bytes: with a regular expression the whole repository would take seconds.
    private static func hasWord(_ word: String, in line: Substring.UTF8View) -> Bool {
        line.split { !isLetter($0) }.contains { $0.elementsEqual(word.utf8) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
