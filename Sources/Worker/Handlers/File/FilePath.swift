internal import Glibc

/// Paths in a handlers file.
enum FilePath {
    static var currentDirectory: String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }

    /// `path` itself if it is absolute, otherwise `path` below `directory`.
    static func absolute(_ path: String, from directory: String) -> String {
        if path.utf8.first == UInt8(ascii: "/") { return path }
        let relative = path.utf8.starts(with: "./".utf8) ? String(path.dropFirst(2)) : path
        return directory == "/" ? "/\(relative)" : "\(directory)/\(relative)"
    }

    enum Kind {
        case file
        case directory
        case other
    }

    /// The kind of the file at the path, with links followed; nil: there is none, or it cannot be read.
    static func kind(of path: String) -> Kind? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .directory
        default: return .other
        }
    }

    static func isExecutable(_ path: String) -> Bool {
        access(path, X_OK) == 0
    }
}
