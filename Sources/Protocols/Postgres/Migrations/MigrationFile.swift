internal import Configuration
import Glibc

/// A migration of the schema: a file `NNNN_name.sql`.
public struct MigrationFile: Sendable, Equatable {
    private static let bytesMax = 4 * 1_048_576

    /// The number in the file name, 1 to 9999. Files are applied in this order.
    public let version: Int32
    public let name: String
    public let sql: String

    /// Whether the file is applied in a transaction: its first line is not `-- no-transaction`.
    public var isTransactional: Bool {
        !sql.prefix { !$0.isNewline }.split(separator: " ").elementsEqual(["--", "no-transaction"])
    }

    public var fileName: String {
        let digits = String(version)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "_\(name).sql"
    }

    public init(version: Int32, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }

    /// Reads all `.sql` files of a directory, sorted by version. Other files are ignored.
    /// - Throws: `MigrationError.unreadable` or `.badFile`.
    public static func readAll(in directory: String) throws(MigrationError) -> [MigrationFile] {
        var files: [MigrationFile] = []
        for name in try names(in: directory) where name.hasSuffix(".sql") {
            guard let (version, title) = parse(name) else {
                throw .badFile(name, reason: "the name is not NNNN_name.sql with letters, digits, - and _")
            }
            let sql = try read("\(directory)/\(name)")
            if let other = files.first(where: { $0.version == version }) {
                throw .badFile(name, reason: "has the same version as \(other.fileName)")
            }
            files.append(MigrationFile(version: version, name: title, sql: sql))
        }
        guard !files.isEmpty else { throw .unreadable(directory, reason: "contains no file NNNN_name.sql") }
        return files.sorted { $0.version < $1.version }
    }

    static func parse(_ fileName: String) -> (version: Int32, name: String)? {
        let bytes = Array(fileName.utf8.dropLast(".sql".utf8.count))
        let digits = bytes.prefix(4)
        guard digits.count == 4, digits.allSatisfy({ (0x30...0x39).contains($0) }), bytes.count > 5,
            bytes[4] == UInt8(ascii: "_")
        else { return nil }
        let name = bytes[5...]
        let isPlain = name.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: "-")
        }
        guard isPlain else { return nil }
        let version = digits.reduce(Int32(0)) { $0 * 10 + Int32($1 - 0x30) }
        return version > 0 ? (version, String(decoding: name, as: UTF8.self)) : nil
    }

    private static func names(in directory: String) throws(MigrationError) -> [String] {
        guard let stream = opendir(directory) else {
            throw .unreadable(directory, reason: String(cString: strerror(errno)))
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                names.append(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
            }
        }
        return names
    }

    private static func read(_ path: String) throws(MigrationError) -> String {
        let bytes: [UInt8]
        do throws(SmallFileError) {
            bytes = try SmallFile.bytes(of: path, bytesMax: bytesMax)
        } catch {
            throw .unreadable(path, reason: error.problem)
        }
        guard let sql = String(validating: bytes, as: UTF8.self) else {
            throw .badFile(path, reason: "is not UTF-8")
        }
        return sql
    }
}
