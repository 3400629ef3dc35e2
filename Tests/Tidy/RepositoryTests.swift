import Testing

/// The repository keeps its own rules. `RuleTests` shows that each rule can be broken.
@Suite struct RepositoryTests {
    private static let read = Result {
        (
            manifest: try Repository.manifest(),
            sources: try Repository.swiftSources(under: "Sources"),
            tests: try Repository.swiftSources(under: "Tests") + Repository.swiftSources(under: "Benchmarks")
        )
    }

    private let manifest: Manifest
    private let sources: [SwiftSource]
    private let tests: [SwiftSource]

    init() throws {
        (manifest, sources, tests) = try Self.read.get()
    }

    private func expectNone(_ findings: [Finding], _ location: SourceLocation = #_sourceLocation) {
        for finding in findings { Issue.record("\(finding)", sourceLocation: location) }
    }

    @Test func `the manifest and the sources are found`() {
        #expect(manifest.targets["Jobs"]?.layer == .capabilities)
        #expect(manifest.targets["Api"]?.imports.contains("HTTP") == true)
        #expect(manifest.targets["Tidy"]?.layer == .tests)
        #expect(sources.contains { $0.target == "EventLoop" } && sources.contains { $0.target == "Worker" })
    }

    @Test func `declared imports point down`() {
        expectNone(Layering.declared(manifest))
    }

    @Test func `nothing is imported that is not declared`() {
        expectNone(Layering.imported(sources, manifest))
    }

    @Test func `nothing is declared that is not imported`() {
        expectNone(Layering.unused(sources + tests, manifest))
    }

    @Test func `targets are in the folders of their layers`() {
        expectNone(Layering.misplaced(Repository.paths, manifest))
    }

    @Test func `unsafe code stays where it belongs`() {
        expectNone(sources.flatMap(CodeStyle.unsafeCode))
    }

    @Test func `a type says what it is for, and does not bear its module's name`() {
        expectNone((sources + tests).flatMap(CodeStyle.typeNames))
    }

    /// `Scripts/mutants.sh` stops at a mutant whose text is gone, which nobody notices until it is run.
    @Test func `every mutant removes something that is there`() throws {
        let mutants = try Repository.text("Scripts/mutants.sh").split(separator: "\n").filter { $0.hasPrefix("    '") }
        #expect(mutants.count > 30)
        for mutant in mutants {
            let parts = mutant.dropFirst(5).replacing(#"'"'"#, with: "'")
                .split(separator: " | ", omittingEmptySubsequences: false)
            try #require(parts.count >= 3, "\(mutant)")
            let text = try Repository.text(String(parts[1]))
            #expect(text.contains(parts[2]), "\(parts[0]): \(parts[1]) no longer contains: \(parts[2])")
        }
    }

    @Test func `a file has one subject`() {
        expectNone((sources + tests).flatMap(CodeStyle.tooLong))
    }

    @Test func `no file promises work that is not done`() throws {
        let own = "Tests/Tidy/"
        for path in Repository.paths where path.hasSuffix(".swift") || path.hasSuffix(".sql") || path.hasSuffix(".sh") {
            if !path.hasPrefix(own) { expectNone(CodeStyle.unfinished(path: path, text: try Repository.text(path))) }
        }
    }

    @Test func `SQL takes its values by parameters`() {
        expectNone(
            sources.filter { manifest.targets[$0.target]?.imports.contains("Postgres") == true }
                .flatMap(BoundSQL.interpolated))
    }

    @Test func `tests draw their random numbers from seeds`() {
        // The first draws a seed, the others look for draws.
        let exempt = ["Tests/TestKit/SeededGenerator.swift", "Tests/Tidy"]
        let drawing = tests.filter { source in !exempt.contains { Repository.path(source.path, isIn: $0) } }
        expectNone(drawing.flatMap(Chance.unseeded))
    }

    @Test func `lines are at most 120 columns wide`() throws {
        for path in Repository.paths where [".swift", ".sql", ".c", ".h", ".sh"].contains(where: path.hasSuffix) {
            guard !NotYetClean.contains(path, in: NotYetClean.lines) else { continue }
            expectNone(LineWidth.findings(path: path, text: try Repository.text(path)))
        }
    }

    // MARK: Words

    /// What people read, apart from tests: of these their names.
    private static let prose = [
        "Sources/", "Plugins/", "Migrations/", "Scripts/", "Benchmarks/", "docs/", "examples/", "k8s/", "README.md",
        "CONTRIBUTING.md", "Package.swift", "Makefile", "Dockerfile",
    ]
    private static let proseEndings = [
        ".swift", ".sql", ".c", ".h", ".sh", ".py", ".md", ".yaml", ".json", "Kustomization", "Makefile", "Dockerfile",
        ".api", ".worker", ".reaper",
    ]

    @Test func `the words are those of decision 0011`() throws {
        let read = Repository.paths.filter { path in
            Self.prose.contains(where: path.hasPrefix) && Self.proseEndings.contains(where: path.hasSuffix)
        }
        #expect(read.contains("Migrations/0001_queues.sql") && read.contains("Dockerfile.api"))
        for path in read where !NotYetClean.contains(path, in: NotYetClean.words) {
            expectNone(Vocabulary.findings(path: path, text: try Repository.text(path)))
        }
        for source in tests where !NotYetClean.contains(source.path, in: NotYetClean.words) {
            for test in Vocabulary.testNames(in: source) {
                let findings = Vocabulary.findings(path: source.path, text: test.name)
                expectNone(findings.map { Finding(path: $0.path, line: test.line, message: $0.message) })
            }
        }
    }

    @Test func `no document is mentioned that is not there`() throws {
        let names = Set(Repository.paths.compactMap { $0.split(separator: "/").last.map(String.init) })
        // RuleTests mentions some that are not there.
        for path in Repository.paths where !path.hasPrefix("Tests/Tidy/") {
            guard [".swift", ".sql", ".c", ".h", ".sh", ".py", ".md", ".yaml"].contains(where: path.hasSuffix) else {
                continue
            }
            expectNone(Documents.unknownDocuments(path: path, text: try Repository.text(path), names: names))
        }
    }

    // MARK: Scripts and documents

    @Test func `scripts stop at the first error`() throws {
        let scripts = Repository.paths.filter { $0.hasSuffix(".sh") || $0 == ".ci/run" }
        #expect(scripts.contains("Scripts/run.sh") && scripts.contains(".ci/run"))
        for path in scripts {
            expectNone(
                Documents.script(
                    path: path, text: try Repository.text(path), isExecutable: Repository.isExecutable(path)))
        }
    }

    @Test func `links between documents lead somewhere`() throws {
        let documents = Repository.paths.filter { $0.hasSuffix(".md") }
        #expect(documents.contains("README.md"))
        for path in documents {
            expectNone(
                Documents.brokenLinks(path: path, text: try Repository.text(path), exists: Repository.exists))
        }
    }

    @Test func `the change log has a place for the next change`() throws {
        expectNone(Documents.changeLog(try Repository.text("CHANGELOG.md")))
    }
}
