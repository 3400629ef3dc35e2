import Testing

/// The rules on words, lines and seeds find what breaks them, at its line, and nothing in what keeps them.
@Suite struct WordRuleTests {
    private func words(_ text: String, at path: String = "a.swift") -> [Int?] {
        Vocabulary.findings(path: path, text: text).map(\.line)
    }

    @Test(arguments: [
        "let lane = 1", "struct LaneTable {}", "lane_id bigint", "SELECT openBands", "A Band.", "XMLBand", "band1",
        "so many jobs", "So  many", "so\n    /// many", "so\n-- many", "is told", "taken-for-dead", "AttemptBook",
        "attemptBook", "whoever's",
    ])
    func `a word that was replaced is found, in prose and in identifiers`(text: String) {
        #expect(words("\n" + text) == [2])
    }

    @Test(arguments: [
        "a husband", "bandwidth", "planes", "so, many jobs", "so much, many", "is toldable", "this. Told", "heartbeat",
        "somany", "dedepart",
    ])
    func `a word that only looks like it is accepted`(text: String) {
        #expect(words(text) == [])
    }

    @Test func `a word is accepted where it is allowed`() {
        #expect(words("a band", at: "docs/decisions/0011-one-vocabulary.md") == [])
        #expect(words("a band", at: "docs/decisions/0011-one-vocabulary.md.old") == [1])
    }

    @Test func `each word is banned once, and says what to write`() {
        let banned = Vocabulary.banned.map(\.words)
        #expect(Set(banned).count == banned.count)
        for entry in Vocabulary.banned {
            #expect(words(entry.words) != [], "\(entry.words)")
            #expect(words(entry.instead) == [], "\(entry.instead)")
        }
    }

    @Test func `the names of tests are read`() {
        let source = SwiftSource(path: "a.swift", text: "// func `a`\n@Test func `a lane, and more`(_ a: Int) {}\n")
        #expect(Vocabulary.testNames(in: source).map(\.line) == [2])
        #expect(Vocabulary.testNames(in: source).map(\.name) == ["a lane, and more"])
    }

    @Test func `a line that is too wide is found, unless a literal makes it so`() {
        func lines(_ text: String) -> [Int?] { LineWidth.findings(path: "a.swift", text: text).map(\.line) }
        let wide = String(repeating: "a ", count: 61)
        #expect(lines("// short\n// \(wide)\n") == [2])
        #expect(lines("\nSELECT \(wide)") == [2])
        #expect(lines("    /// \(wide) \"\(wide)\"") == [1])
        #expect(lines("let a = \"\(wide)\"") == [])
        #expect(lines("say '\(wide)'") == [])
        #expect(lines("let a = \"b\" + \(wide)") == [1])
        #expect(lines(String(repeating: "é", count: 120)) == [])
    }

    @Test func `a document that is not there is found`() {
        func lines(_ text: String) -> [Int?] {
            Documents.unknownDocuments(path: "a.swift", text: text, names: ["api.md"]).map(\.line)
        }
        #expect(lines("see docs/api.md#jobs, `api.md`.\n// OTHER.md, and GUIDE.md.") == [2, 2])
        #expect(lines("// RELIABILITY, F2") == [1])
        #expect(lines("// a DESIGN") == [1])
        #expect(lines("// https://example.org/OTHER.md, REDESIGN, .md") == [])
    }

    @Test(arguments: [
        "Int.random(in: 0..<3)", "Bool.random()", "a.shuffled()", "a.shuffle()", "a.randomElement()",
        "var random = SystemRandomNumberGenerator()",
    ])
    func `a draw without a seed is found`(line: String) {
        #expect(Chance.unseeded(SwiftSource(path: "a.swift", text: "\nlet b = \(line)")).map(\.line) == [2])
    }

    @Test(arguments: [
        "Int.random(in: 0..<3, using: &random)", "a.shuffled(using: &random)", "UInt64.random(in: 0...UInt64.max)",
        "func random(depth: Int) {}", "// Bool.random()",
    ])
    func `a draw from a seed, and an id, are accepted`(line: String) {
        #expect(Chance.unseeded(SwiftSource(path: "a.swift", text: line)) == [])
    }
}
