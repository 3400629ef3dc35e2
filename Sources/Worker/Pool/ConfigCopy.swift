internal import Glibc
internal import Pools

/// A member's copy of `config.yml`. Whoever reads it finds the old one or the new one, and never a part: it is written
/// beside it, and takes its name when it is whole.
struct ConfigCopy: Sendable {
    /// Why it could not be written.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let path: String

    func write(_ lists: [MemberList]) throws(Failure) {
        let draft = "\(path).new"
        let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw failure("open", draft) }
        let written = Self.write(Array(PoolConfig.yaml(lists).utf8), to: file)
        // A crash of the machine must not leave an empty file by the name.
        let isWhole = written && fsync(file) == 0
        let problem = isWhole ? nil : failure("write", draft)
        close(file)
        if let problem { throw problem }
        guard rename(draft, path) == 0 else { throw failure("rename", draft) }
    }

    private static func write(_ bytes: [UInt8], to file: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let chunk = Array(rest)
            let count = Glibc.write(file, chunk, chunk.count)
            if count < 0 {
                guard errno == EINTR else { return false }
                continue
            }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private func failure(_ call: String, _ file: String) -> Failure {
        Failure(description: "\(call) \(file): \(String(cString: strerror(errno)))")
    }
}
