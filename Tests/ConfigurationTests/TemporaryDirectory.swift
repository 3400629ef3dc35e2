import Glibc

/// A temporary directory for a test, removed with its contents.
final class TemporaryDirectory {
    let path: String
    private var names: Set<String> = []

    init() {
        var template = Array("/tmp/configuration-tests-XXXXXX".utf8CString)
        mkdtemp(&template)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    /// Replaces a file by renaming a new one over it, like a Vault agent.
    @discardableResult
    func write(_ text: String, to name: String, mode: mode_t = 0o600) -> String {
        write(Array(text.utf8), to: name, mode: mode)
    }

    @discardableResult
    func write(_ bytes: [UInt8], to name: String, mode: mode_t = 0o600) -> String {
        let (target, draft) = ("\(path)/\(name)", "\(path)/\(name).new")
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC, mode)
        precondition(descriptor >= 0 && Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
        precondition(rename(draft, target) == 0)
        names.insert(name)
        return target
    }

    func remove(_ name: String) {
        unlink("\(path)/\(name)")
    }
}
