/// Scripts, documents, and what refers to them.
enum Documents {
    static func script(path: String, text: String, isExecutable: Bool) -> [Finding] {
        var findings: [Finding] = []
        // Without a first line that names an interpreter it is only ever sourced.
        if text.hasPrefix("#!"), !isExecutable {
            findings.append(Finding(path: path, line: nil, message: "is not executable"))
        }
        if !text.split(separator: "\n").contains("set -euo pipefail") {
            findings.append(Finding(path: path, line: nil, message: "goes on after an error: no `set -euo pipefail`"))
        }
        return findings
    }

    /// Links to files that are not there. `exists` takes a path from the root.
    static func brokenLinks(path: String, text: String, exists: (String) -> Bool) -> [Finding] {
        var findings: [Finding] = []
        var isInFence = false
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.drop(while: { $0 == " " }).hasPrefix("```") { isInFence.toggle() }
            guard !isInFence else { continue }
            for match in line.replacing(/`[^`]*`/, with: "").matches(of: /\]\(<?([^)\s>]+)>?[^)]*\)/) {
                let link = String(match.output.1)
                guard let file = linkedFile(link, from: path), !exists(file) else { continue }
                findings.append(Finding(path: path, line: index + 1, message: "links to \(link), which is not there"))
            }
        }
        return findings
    }

    /// The path from the root of a link to a file; nil for an address or a heading of the same page.
    private static func linkedFile(_ link: String, from path: String) -> String? {
        guard link.prefixMatch(of: /[a-z]+:|#/) == nil else { return nil }
        let file = link.prefix { $0 != "#" && $0 != "?" }
        var parts = file.hasPrefix("/") ? [] : path.split(separator: "/").dropLast().map(String.init)
        for part in file.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(String(part)) }
        }
        return parts.joined(separator: "/")
    }

    /// Mentions of documents (`GUIDE.md`, `DESIGN`) that the repository does not have.
    /// - Parameter names: the file names of its documents.
    static func unknownDocuments(path: String, text: String, names: Set<String>) -> [Finding] {
        text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap { index, line in
            mentionedDocuments(line).filter { !names.contains($0) }.map {
                Finding(path: path, line: index + 1, message: "\($0) is no document of this repository")
            }
        }
    }

    /// Documents of others, which are named without an ending.
    private static let foreign: Set<Substring> = ["DESIGN", "RELIABILITY", "VOCABULARY"]

    private static func mentionedDocuments(_ line: Substring) -> [String] {
        guard line.contains(".md") || foreign.contains(where: { line.contains($0) }) else { return [] }
        var mentioned: [String] = []
        for part in line.split(separator: " ") where !part.contains("://") {
            for word in part.split(whereSeparator: { !($0.isLetter || $0.isNumber || "._-".contains($0)) }) {
                let name = word.hasSuffix(".") ? word.dropLast() : word
                let isDocument = name.count > 3 && name.hasSuffix(".md")
                if isDocument || foreign.contains(name) { mentioned.append(String(name)) }
            }
        }
        return mentioned
    }

    static func changeLog(_ text: String) -> [Finding] {
        guard !text.split(separator: "\n").contains("## [Unreleased]") else { return [] }
        return [Finding(path: "CHANGELOG.md", line: nil, message: "has no section `## [Unreleased]`")]
    }
}
