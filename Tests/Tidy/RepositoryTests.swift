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

    @Test func `unsafe code stays where it belongs`() {
        expectNone(sources.flatMap(CodeStyle.unsafeCode))
    }

    @Test func `a type says what it is for, and does not bear its module's name`() {
        expectNone((sources + tests).flatMap(CodeStyle.typeNames))
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
