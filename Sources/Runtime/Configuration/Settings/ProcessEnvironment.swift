/// The environment variables of a process.
public struct ProcessEnvironment: Sendable {
    /// Texts by name. Where a name stands twice the first counts, as with getenv(3).
    public let values: [String: String]
    /// Names whose value is not UTF-8; reading one is an error rather than a silent replacement of bytes.
    let unreadable: Set<String>

    public init(_ values: [String: String]) {
        self.values = values
        unreadable = []
    }

    /// Reads the block of `NAME=value` strings, each ended by a zero byte, that a process starts with.
    init(parsing block: [UInt8]) {
        var values: [String: String] = [:]
        var unreadable: Set<String> = []
        for entry in block.split(separator: 0) {
            guard let equals = entry.firstIndex(of: UInt8(ascii: "=")), equals > entry.startIndex,
                let name = String(validating: entry[..<equals], as: UTF8.self),
                values[name] == nil, !unreadable.contains(name)
            else { continue }
            if let value = String(validating: entry[(equals + 1)...], as: UTF8.self) {
                values[name] = value
            } else {
                unreadable.insert(name)
            }
        }
        self.values = values
        self.unreadable = unreadable
    }

    /// What this process was started with, from `/proc/self/environ`: the C library's `environ` is a pointer that any
    /// thread may change.
    public static func current() throws(SmallFileError) -> ProcessEnvironment {
        ProcessEnvironment(parsing: try SmallFile.bytes(of: "/proc/self/environ", bytesMax: 4 * 1024 * 1024))
    }
}
