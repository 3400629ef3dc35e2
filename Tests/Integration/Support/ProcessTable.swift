import Glibc

/// The processes of this machine, read from `/proc`.
enum ProcessTable {
    /// Whether a process runs; false for a zombie.
    static func isAlive(_ pid: Int32) -> Bool {
        guard let state = Status(pid)?.state else { return false }
        return state != "Z" && state != "X"
    }

    /// The children of a process, including zombies.
    static func children(of parent: Int32) -> [Int32] {
        names(in: "/proc").compactMap { Int32($0) }.filter { Status($0)?.parent == parent }
    }

    /// The number of open descriptors of a process by kind (`pipe`, `socket`, `anon_inode`, a path).
    static func descriptors(of pid: Int32) -> [String: Int] {
        var kinds: [String: Int] = [:]
        for name in names(in: "/proc/\(pid)/fd") {
            var target = [CChar](repeating: 0, count: 256)
            guard readlink("/proc/\(pid)/fd/\(name)", &target, 255) > 0 else { continue }
            let text = String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            kinds[String(text.prefix { $0 != ":" }), default: 0] += 1
        }
        return kinds
    }

    private struct Status {
        let state: Character
        let parent: Int32

        init?(_ pid: Int32) {
            guard let text = TextFile.read("/proc/\(pid)/stat"), let nameEnd = text.lastIndex(of: ")") else {
                return nil
            }
            // pid (name) state parent: the name may contain anything, also parentheses.
            let fields = text[nameEnd...].dropFirst().split(separator: " ")
            guard fields.count > 1, let state = fields[0].first, let parent = Int32(fields[1]) else { return nil }
            self.state = state
            self.parent = parent
        }
    }

    private static func names(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names.filter { !$0.hasPrefix(".") }
    }
}
