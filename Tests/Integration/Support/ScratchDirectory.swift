import Glibc
import JSON
import Testing

/// A directory of one test, removed after it. Every user may access it, because programs of a test may run as another
/// user.
final class ScratchDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/jobqueue-integration-XXXXXX".utf8CString)
        let made = mkdtemp(&template)
        path = String(cString: try #require(made))
    }

    deinit {
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                unlink("\(path)/\(name)")
            }
            closedir(directory)
        }
        rmdir(path)
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// The content of a file that a handler writes; nil before its last line is complete.
    func text(_ name: String) -> String? {
        guard let text = TextFile.read(file(name)), text.hasSuffix("\n") else { return nil }
        return text
    }

    /// The numbers on the one line of a file that a handler writes.
    func numbers(_ name: String) -> [Int]? {
        text(name)?.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    }

    /// Writes a file, and returns its path.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let handle = try #require(fopen(file(name), "we"))
        let bytes = Array(text.utf8)
        #expect(fwrite(bytes, 1, bytes.count, handle) == bytes.count)
        #expect(fclose(handle) == 0)
        return file(name)
    }

    /// Writes a handlers file in which each type runs a shell script, and returns its path. The variable `HERE` of a
    /// script is this directory.
    func writeHandlers(_ scripts: [String: String], killGraceSeconds: Int = 1) throws -> String {
        let handlers = scripts.map { type, script in
            JSONMember(
                type,
                [
                    "exec": ["sh", "-c", .string(script)], "environment": ["HERE": .string(path)],
                    "kill_grace_seconds": .number(JSONNumber(killGraceSeconds)),
                ])
        }
        return try write("handlers.json", (["handlers": .object(handlers)] as JSONValue).text)
    }
}

enum TextFile {
    /// nil if it cannot be opened.
    static func read(_ path: String) -> String? {
        bytes(of: path).map { String(decoding: $0, as: UTF8.self) }
    }

    static func bytes(of path: String) -> [UInt8]? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }
}
