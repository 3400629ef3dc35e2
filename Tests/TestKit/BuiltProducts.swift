import EventLoop
import Glibc

/// The binaries of the build beside the test bundle, and programs of the system.
public enum BuiltProducts {
    public struct Missing: Error, CustomStringConvertible {
        public let description: String
    }

    /// The directory of the running test bundle, and thus of the binaries of the same build.
    public static var directory: String {
        guard let bundle = realpath("/proc/self/exe", nil) else { return "." }
        defer { free(bundle) }
        let path = String(cString: bundle)
        return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    }

    /// The path of one of our binaries (`jobqueue-api`), of a program in PATH (`sleep`), or of a path (`/bin/true`).
    public static func find(_ name: String) throws(Missing) -> String {
        let searchPath = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        if name.hasPrefix("jobqueue-") {
            let file = "\(directory)/\(name)"
            guard access(file, X_OK) == 0 else {
                throw Missing(description: "\(file) is missing: `make test` or `swift build --build-tests` builds it")
            }
            return file
        }
        guard let file = ProcessSpec.findExecutable(name, searchPath: searchPath) else {
            throw Missing(description: "\(name) is no program in PATH=\(searchPath)")
        }
        return file
    }
}
