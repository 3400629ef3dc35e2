/// The environment variables of a process.
public struct ProcessEnvironment: Sendable {
    /// Values by name. Of repeated names the first is used, as in getenv(3).
    public let values: [String: String]
    /// Names whose value is not UTF-8. Reading one is an error.
    let unreadable: Set<String>

    public init(_ values: [String: String]) {
        self.values = values
        unreadable = []
    }

    /// Parses a block of zero-terminated `NAME=value` strings.
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

    /// The initial environment of this process, from `/proc/self/environ`. The C library's `environ` is not used,
    /// because any thread may change it.
    public static func current() throws(SmallFileError) -> ProcessEnvironment {
        ProcessEnvironment(parsing: try SmallFile.bytes(of: "/proc/self/environ", bytesMax: 4 * 1024 * 1024))
    }
}
