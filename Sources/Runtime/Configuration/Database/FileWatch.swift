import Glibc

/// What tells one version of a file from the next.
public struct FileStamp: Sendable, Equatable {
    public let modifiedNanoseconds: Int64
    public let inode: UInt64
    public let sizeBytes: Int64

    public init(modifiedNanoseconds: Int64, inode: UInt64, sizeBytes: Int64) {
        self.modifiedNanoseconds = modifiedNanoseconds
        self.inode = inode
        self.sizeBytes = sizeBytes
    }

    /// The stamp of what the path leads to through all links (a mounted ConfigMap or Secret is swapped by one); nil when
    /// there is nothing.
    public static func of(_ path: String) -> FileStamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return FileStamp(
            modifiedNanoseconds: Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec),
            inode: UInt64(status.st_ino), sizeBytes: Int64(status.st_size))
    }
}

/// Notices that a file has been replaced or rewritten. Whoever owns it asks every two seconds or so.
///
/// A rewrite in place of equal size within one tick of the file system's clock (some milliseconds) goes unnoticed; what
/// renders secrets replaces the file instead.
public struct FileWatch: Sendable {
    public enum Change: Sendable, Equatable {
        case unchanged
        case changed
        /// It was there, and is not now. Keep what was read: it may be on its way.
        case missing
    }

    public let path: String
    /// The last version that was there.
    public private(set) var seen: FileStamp?
    private var isMissing: Bool

    /// Takes what is there now as known.
    public init(path: String) {
        self.path = path
        seen = FileStamp.of(path)
        isMissing = seen == nil
    }

    /// Looks at the file.
    public mutating func poll() -> Change {
        change(to: FileStamp.of(path))
    }

    /// The decision alone. Each change is told once; a file that comes back as it was has not changed.
    mutating func change(to stamp: FileStamp?) -> Change {
        guard let stamp else {
            defer { isMissing = true }
            return isMissing ? .unchanged : .missing
        }
        isMissing = false
        guard stamp != seen else { return .unchanged }
        seen = stamp
        return .changed
    }
}
