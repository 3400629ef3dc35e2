/// Lines are at most 120 columns wide. swift-format keeps to that in code, but neither in comments nor in literals.
enum LineWidth {
    static let columnsMax = 120

    /// A literal of this length may not be broken: a message, a URL, bytes of a protocol.
    private static let literalColumnsMin = 40

    static func findings(path: String, text: String) -> [Finding] {
        text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
            .compactMap { index, bytes in
                // Most lines have fewer bytes than columns are allowed.
                guard bytes.count > columnsMax else { return nil }
                let line = Substring(bytes)
                guard line.count > columnsMax, isComment(line) || !holdsLongLiteral(line) else { return nil }
                return Finding(
                    path: path, line: index + 1, message: "has \(line.count) columns, more than \(columnsMax)")
            }
    }

    private static func isComment(_ line: Substring) -> Bool {
        line.drop { $0 == " " }.prefixMatch(of: /\/\/|--|#|\*|\/\*/) != nil
    }

    private static func holdsLongLiteral(_ line: Substring) -> Bool {
        line.matches(of: /"(?:[^"\\]|\\.)*"|'[^']*'|\/(?:[^\/\\]|\\.)+\//).contains {
            $0.output.count >= literalColumnsMin
        }
    }
}
