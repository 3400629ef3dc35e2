import Configuration
import EventLoop
import Glibc
import Testing
import Values

@testable import Service

/// What a probe makes of what a process has written.
@Suite struct StatusFileTests {
    private let directory: String
    private let file: StatusFile
    private let now = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    init() {
        var template = Array("/tmp/jobqueue-status-XXXXXX".utf8CString)
        mkdtemp(&template)
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        file = StatusFile(path: directory + "/status")
    }

    private func clean() {
        unlink(file.path)
        rmdir(directory)
    }

    @Test func `one that works is alive and ready`() throws {
        defer { clean() }
        try file.write(.working, at: now)
        #expect(file.fault(needsReadiness: false, at: now) == nil)
        #expect(file.fault(needsReadiness: true, at: now + .seconds(30)) == nil)
    }

    @Test func `one that waits or stops is alive, and not ready for a reason`() throws {
        defer { clean() }
        try file.write(.waiting("the database has\nno schema yet"), at: now)
        #expect(file.fault(needsReadiness: false, at: now) == nil)
        #expect(
            file.fault(needsReadiness: true, at: now) == "the process is waiting: the database has no schema yet")
        try file.write(.stopping, at: now)
        #expect(file.fault(needsReadiness: false, at: now) == nil)
        #expect(file.fault(needsReadiness: true, at: now) == "the process is stopping")
        // A reason of PostgreSQL's may be of any length.
        try file.write(.waiting(String(repeating: "é", count: 100_000)), at: now)
        #expect(file.fault(needsReadiness: false, at: now) == nil)
    }

    @Test func `one that has been silent for too long is not alive, and neither is one from before a reboot`() throws {
        defer { clean() }
        try file.write(.working, at: now)
        #expect(file.fault(needsReadiness: false, at: now + .seconds(31))?.contains("31 s") == true)
        #expect(file.fault(needsReadiness: false, at: now - .seconds(1)) != nil)
    }

    @Test(arguments: ["", "\n", "soon working", "working", "\u{0}"])
    func `a file without a status is not alive`(text: String) throws {
        defer { clean() }
        #expect(file.fault(needsReadiness: false, at: now)?.contains("No such file") == true)
        try SmallFile.replace(file.path, with: Array(text.utf8))
        #expect(file.fault(needsReadiness: false, at: now) != nil)
    }

    @Test func `a directory that is not there is named`() {
        defer { clean() }
        let lost = StatusFile(path: directory + "/missing/status")
        #expect(throws: SmallFileError.self) { try lost.write(.working, at: now) }
        #expect(lost.fault(needsReadiness: false, at: now)?.contains(directory) == true)
    }
}
