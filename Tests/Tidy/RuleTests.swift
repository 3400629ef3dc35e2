import Testing

/// Each rule finds what breaks it, at its line, and nothing in what keeps it.
@Suite struct RuleTests {
    private static let manifest = Manifest(
        """
        let targets = [
            // C boundary
            .systemLibrary(name: "CLibPQ", path: "x", pkgConfig: "libpq"),

            // Runtime
            runtime("EventLoop"),
            runtime("JSON"),

            // Protocols
            protocolTarget(
                "Postgres", ["CLibPQ", "EventLoop"]),

            // Capabilities
            runtime("Workers", ["Postgres"]),
            runtime("Pauses", ["Postgres", "Workers"]),

            // Tests
            // A heading is only what bears the name of a layer.
            .target(name: "TestKit", dependencies: ["Postgres", "EventLoop"], path: "x"),
            tests("Tidy", []),
        ]
        """)

    private func source(_ text: String, at path: String = "Sources/Capabilities/Pauses/PauseStore.swift")
        -> SwiftSource
    {
        SwiftSource(path: path, text: text)
    }

    // MARK: The manifest and the scanner

    @Test func `the manifest is read with its layers and imports`() {
        let targets = Self.manifest.targets
        #expect(targets.count == 8)
        #expect(targets["CLibPQ"] == .init(name: "CLibPQ", layer: .boundary, imports: []))
        #expect(targets["JSON"] == .init(name: "JSON", layer: .runtime, imports: []))
        #expect(targets["Postgres"] == .init(name: "Postgres", layer: .protocols, imports: ["CLibPQ", "EventLoop"]))
        #expect(targets["TestKit"] == .init(name: "TestKit", layer: .tests, imports: ["Postgres", "EventLoop"]))
    }

    @Test func `a target is the folder of a file`() {
        #expect(source("", at: "Sources/Capabilities/Jobs/Model/Backoff.swift").target == "Jobs")
        #expect(source("", at: "Sources/Api/Main.swift").target == "Api")
        #expect(source("", at: "Tests/TestKit/FreePort.swift").target == "TestKit")
    }

    @Test func `comments and the contents of literals are not code, and lines keep their numbers`() {
        let source = source(
            ##"""
            let a = "one" // comment
            /* a /* nested */
            comment */ let b = """
                two \(a) "quoted"
                """
            let c = #"raw \(a) \#(b + ")")"#
            let d = "escaped \" quote"
            """##)
        #expect(
            source.codeLines == [
                #"let a = "" "#, "", #" let b = ""#, "a", #"""#, #"let c = "b + """"#, #"let d = """#,
            ])
        #expect(source.literals.map(\.line) == [1, 3, 6, 6, 7])
        #expect(source.literals.map(\.interpolations) == [[], ["a"], [], ["b + \")\""], []])
        #expect(source.literals[1].text.contains("two \\(...)"))
        #expect(source.literals[4].text == #"escaped \" quote"#)
    }

    @Test func `a line feed at the end makes no line of its own`() {
        #expect(source("a\nb\n").lineCount == 2)
        #expect(source("a\nb").lineCount == 2)
    }

    // MARK: Layering

    @Test func `a sound manifest is accepted`() {
        #expect(Layering.declared(Self.manifest) == [])
    }

    @Test(arguments: [
        (
            "// Runtime\nruntime(\"JSON\", [\"Jobs\"])\n// Capabilities\ncapability(\"Jobs\")",
            "JSON (Runtime) may not import Jobs"
        ),
        ("// Runtime\nruntime(\"JSON\", [\"TLS\"])\nruntime(\"TLS\")", "JSON (Runtime) may not import TLS (Runtime)"),
        ("// Runtime\nruntime(\"JSON\", [\"Gone\"])", "JSON imports Gone, which is no target"),
    ])
    func `a declared import that points up, aside or nowhere is found`(text: String, message: String) {
        let findings = Layering.declared(Manifest(text))
        #expect(findings.count == 1)
        #expect(findings.first?.message.hasPrefix(message) == true)
    }

    @Test(arguments: [
        "import EventLoop", "public import EventLoop", "@testable import EventLoop",
        "@_exported public import EventLoop",
        "import struct EventLoop.MonotonicInstant", "import Foundation", "internal import FoundationEssentials",
        "import Jobs2", "  import EventLoop",
    ])
    func `an import that is not declared is found, also one of an import`(line: String) {
        let findings = Layering.imported([source("\n\(line)\n")], Self.manifest)
        #expect(findings.map(\.line) == [2])
    }

    @Test func `declared imports, the toolchain's, and the word elsewhere are accepted`() {
        let text =
            "public import Postgres\ninternal import Workers\nimport Glibc\nimport Synchronization\n// import JSON\nlet important = 1\n"
        #expect(Layering.imported([source(text)], Self.manifest) == [])
    }

    @Test func `a folder without a target is found`() {
        #expect(Layering.imported([source("", at: "Sources/Shared/Extra/A.swift")], Self.manifest).count == 1)
    }

    @Test func `a declared import that no file needs is found`() {
        let manifest = Manifest("// Runtime\nruntime(\"EventLoop\")\nruntime(\"TLS\", [\"EventLoop\"])")
        let path = "Sources/Runtime/TLS/A.swift"
        #expect(Layering.unused([source("internal import EventLoop", at: path)], manifest) == [])
        #expect(Layering.unused([source("// import EventLoop", at: path)], manifest).count == 1)
        #expect(Layering.unused([source("import EventLoop", at: "Sources/Api/A.swift")], manifest).count == 1)
    }

    @Test(arguments: [
        ("// Runtime\nruntime(\"JSON\")", "Sources/Runtime/JSON/"),
        ("// Protocols\nprotocolTarget(\"HTTP\", [])", "Sources/Protocols/HTTP/"),
        ("// Service\nservice(\"Service\", [])", "Sources/Service/Group/"),
        ("// Programs\nprogram(\"Api\", [])", "Sources/Api/"), ("// Tests\ntests(\"Tidy\", [])", "Tests/Tidy/"),
        ("// C boundary\n.systemLibrary(name: \"CLibPQ\", path: \"x\")", "Sources/CBoundary/CLibPQ/"),
    ])
    func `a target outside the folder of its layer is found`(text: String, folder: String) {
        #expect(Layering.misplaced(["\(folder)A.swift"], Manifest(text)) == [])
        #expect(Layering.misplaced(["Sources/Other/\(folder)A.swift"], Manifest(text)).count == 1)
    }

    @Test func `every layer has its place, and Values is below the rest of Runtime`() {
        let text = """
            // Runtime
            runtime("Values"), runtime("JSON", ["Values"]),
            // Protocols
            protocolTarget("Postgres", ["Values"]),
            // Service
            service("Service", ["Postgres"]),
            // Capabilities
            capability("Jobs", ["Service"]),
            """
        #expect(Layering.declared(Manifest(text)) == [])
        #expect(Manifest(text).targets["Service"]?.layer == .service)
        let upward = text.replacing("\"Postgres\", [\"Values\"]", with: "\"Postgres\", [\"Service\"]")
        #expect(Layering.declared(Manifest(upward)).count == 1)
    }

    // MARK: Code

    @Test(arguments: [
        "let p: UnsafeRawPointer", "final class A: @unchecked Sendable {}", "nonisolated(unsafe) var a = 1",
        "a.withUnsafeBytes { _ in }", "unsafeBitCast(a, to: Int.self)", "unowned(unsafe) let a: A",
    ])
    func `unsafe code is found, except where it belongs`(line: String) {
        #expect(CodeStyle.unsafeCode(source("\n" + line)).map(\.line) == [2])
        #expect(CodeStyle.unsafeCode(source(line, at: "Sources/Runtime/TLS/Digest.swift")) == [])
        #expect(CodeStyle.unsafeCode(source("// \(line)")) == [])
    }

    @Test(arguments: ["JobManager", "SQLHelper", "Utils", "JobCommon", "HandlerBase", "LeaserImpl", "Pauses"])
    func `a name that says nothing, and the module's own, are found`(name: String) {
        for keyword in ["struct", "final class", "public enum", "actor", "protocol", "typealias"] {
            #expect(CodeStyle.typeNames(source("\n\(keyword) \(name) {")).map(\.line) == [2])
        }
    }

    @Test func `names that say something are accepted`() {
        #expect(
            CodeStyle.typeNames(source("struct Job {}\nclass func make() {}\nenum Database {}\nlet a = Manager()"))
                == [])
    }

    @Test func `a file over 600 lines is found`() {
        #expect(CodeStyle.tooLong(source(String(repeating: "a\n", count: 600))) == [])
        #expect(CodeStyle.tooLong(source(String(repeating: "a\n", count: 601))).count == 1)
    }

    @Test(arguments: ["TODO", "FIXME", "XXX"])
    func `a promise is found`(word: String) {
        #expect(CodeStyle.unfinished(path: "a.sql", text: "one\n-- \(word): later").map(\.line) == [2])
        #expect(CodeStyle.unfinished(path: "a.sql", text: "\(word)S \(word.lowercased())") == [])
    }

    // MARK: SQL

    @Test(arguments: [
        #"let a = "SELECT * FROM job WHERE id = '\(id)'""#,
        #"let a = "  WITH a AS (SELECT 1) DELETE FROM \(table)""#,
        #"let a = "WHERE type = '\(filter.type)'""#,
        #"let a = "SELECT \(self.columns) FROM job""#,
        #"let a = "ORDER BY \(sort)""#,
        "let a = \"\"\"\n    -- Why it has this shape.\n    INSERT INTO job VALUES (\\(payload))\n    \"\"\"",
    ])
    func `a value that is written into SQL is found`(text: String) {
        #expect(BoundSQL.interpolated(source("\n" + text)).map(\.line) == [2])
    }

    @Test(arguments: [
        #"let a = "SELECT * FROM job WHERE id = $1""#,
        #"let a = "SELECT \(Self.columns) FROM job LIMIT \(Limits.page)""#,
        #"let a = "SELECT \(sql: columns) FROM \(sql: table("job"))""#,
        "let a = \"\"\"\n    WITH b AS (\n        \\(sql: rows(\n            from: \"c\")))\n    \"\"\"",
        #"let a = "the job \(id) is not there""#,
        #"// let a = "SELECT \(id)""#,
    ])
    func `parameters and constants of a type are accepted`(text: String) {
        #expect(BoundSQL.interpolated(source(text)) == [])
    }

    // MARK: Documents

    @Test func `a script that is not executable, or goes on after an error, is found`() {
        let sound = "#!/usr/bin/env bash\n# What it does.\nset -euo pipefail\n"
        #expect(Documents.script(path: "a.sh", text: sound, isExecutable: true) == [])
        #expect(Documents.script(path: "a.sh", text: sound, isExecutable: false).count == 1)
        #expect(Documents.script(path: "a.sh", text: "set -euo pipefail\n", isExecutable: false) == [])
        #expect(Documents.script(path: "a.sh", text: "#!/bin/bash\nset -e\n", isExecutable: true).count == 1)
        #expect(
            Documents.script(path: "a.sh", text: "#!/bin/bash\n# set -euo pipefail\n", isExecutable: true).count == 1)
    }

    @Test func `a link to a file that is not there is found`() {
        let there: Set<String> = ["docs/api.md", "README.md", "docs/decisions"]
        func broken(_ text: String) -> [Int?] {
            Documents.brokenLinks(path: "docs/guide.md", text: text, exists: there.contains).map(\.line)
        }
        #expect(broken("[a](api.md) and\n[b](missing.md), [c](../missing.md#part)") == [2, 2])
        #expect(broken("![picture](missing.png)") == [1])
        #expect(broken("[a](api.md#jobs) [b](../README.md) [c](./decisions/) [d](/README.md \"title\")") == [])
        #expect(broken("[a](https://example.org/x.md) [b](#part) [c](mailto:a@example.org)") == [])
        #expect(broken("```\n[a](missing.md)\n```\n`[b](missing.md)`\n[c](missing.md)") == [5])
    }

    @Test func `a change log without a place for the next change is found`() {
        #expect(Documents.changeLog("# Changelog\n\n## [Unreleased]\n\n### Added\n") == [])
        #expect(Documents.changeLog("# Changelog\n\n## [0.1.0]\n").count == 1)
    }
}
