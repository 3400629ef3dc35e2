import Glibc
import JSON
import Testing

/// A directory of one test, removed when the test is over. It is open to every user, since what the tests start may
/// run as another.
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

    /// What a handler has written to a file; nil before its last line is whole.
    func text(_ name: String) -> String? {
        guard let text = TextFile.read(file(name)), text.hasSuffix("\n") else { return nil }
        return text
    }

    /// The numbers that a handler has written to a file, on one line.
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

    /// Writes a handlers file in which each type runs a text by the shell, and returns its path. The text finds this
    /// directory in the variable `HERE`.
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
    /// nil when it cannot be opened.
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
