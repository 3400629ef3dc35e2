import Glibc
import Testing

@testable import Configuration

@Suite struct SmallFileTests {
    @Test func `a file is replaced atomically, and no temporary file remains`() throws {
        let directory = TemporaryDirectory()
        let path = directory.write("before", to: "file", mode: 0o600)
        let reader = open(path, O_RDONLY)
        defer { close(reader) }
        let long = [UInt8](repeating: 0x61, count: 300_000)
        try SmallFile.replace(path, with: long)
        #expect(try SmallFile.bytes(of: path, bytesMax: 1 << 20) == long)
        // A reader that opened the file before reads the old contents.
        var bytes = [UInt8](repeating: 0, count: 16)
        #expect(read(reader, &bytes, 16) == 6)
        #expect(!SmallFile.exists("\(path).\(getpid()).new"))
    }

    /// A reader of a named pipe without a writer would wait for ever, and one of a device would read for ever.
    @Test func `a named pipe, a device, a directory and a socket are refused at once, by what they are`() {
        let directory = TemporaryDirectory()
        let pipe = "\(directory.path)/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        let refused = [
            (pipe, "a named pipe"), ("/dev/zero", "a character device"), ("/dev/tty", "a character device"),
            (directory.path, "a directory"),
        ]
        for (path, kind) in refused {
            let problem = "is \(kind); a regular file is needed"
            let whole = #expect(throws: SmallFileError.self) { try SmallFile.bytes(of: path, bytesMax: 10) }
            #expect(whole?.path == path && whole?.problem == problem)
            #expect(throws: SmallFileError(path: path, problem: problem)) { try SmallFile.value(of: path) }
            #expect(throws: SmallFileError(path: path, problem: problem)) { try SmallFile.check(path, isA: .file) }
        }
    }

    @Test func `a value in a named pipe is a configuration problem that names the variable and the file`() {
        let directory = TemporaryDirectory()
        let pipe = "\(directory.path)/secret"
        #expect(mkfifo(pipe, 0o600) == 0)
        var reader = SettingsReader(environment: ProcessEnvironment(["TOKEN_FILE": pipe]))
        _ = reader.optionalString("TOKEN", help: "A token.")
        let failure = #expect(throws: ConfigurationFailure.self) { try reader.finish() }
        let text = failure.map { "\($0)" } ?? ""
        #expect(text.contains("TOKEN_FILE") && text.contains(pipe) && text.contains("is a named pipe"), "\(text)")
    }

    @Test func `a replacement does not wait for the reader of a named pipe in the place of its draft`() {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/status"
        #expect(mkfifo("\(path).\(getpid()).new", 0o600) == 0)
        #expect(throws: SmallFileError.self) { try SmallFile.replace(path, with: [1]) }
    }

    @Test func `a failed replacement changes nothing and names the path`() {
        let directory = TemporaryDirectory()
        for path in ["\(directory.path)/missing/file", directory.path] {
            let error = #expect(throws: SmallFileError.self) { try SmallFile.replace(path, with: [1]) }
            #expect(error?.path.hasPrefix(path) == true)
        }
        #expect(!SmallFile.exists("\(directory.path).\(getpid()).new"))
    }
}
