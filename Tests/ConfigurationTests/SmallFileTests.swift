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

    @Test func `a failed replacement changes nothing and names the path`() {
        let directory = TemporaryDirectory()
        for path in ["\(directory.path)/missing/file", directory.path] {
            let error = #expect(throws: SmallFileError.self) { try SmallFile.replace(path, with: [1]) }
            #expect(error?.path.hasPrefix(path) == true)
        }
        #expect(!SmallFile.exists("\(directory.path).\(getpid()).new"))
    }
}
