import Glibc

/// The identity of a version of a file.
public struct FileStamp: Sendable, Equatable {
    public let modifiedNanoseconds: Int64
    public let inode: UInt64
    public let sizeBytes: Int64

    public init(modifiedNanoseconds: Int64, inode: UInt64, sizeBytes: Int64) {
        self.modifiedNanoseconds = modifiedNanoseconds
        self.inode = inode
        self.sizeBytes = sizeBytes
    }

    /// The stamp of the file at a path, through all symbolic links (a mounted ConfigMap or Secret is replaced by
    /// swapping one); nil if there is no file.
    public static func of(_ path: String) -> FileStamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return FileStamp(
            modifiedNanoseconds: Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec),
            inode: UInt64(status.st_ino), sizeBytes: Int64(status.st_size))
    }
}

/// Detects that a file has been replaced or rewritten. To be polled about every two seconds.
///
/// A rewrite in place with the same size within one tick of the file system's clock (some milliseconds) is not
/// detected; programs that render secrets replace the file instead.
public struct FileWatch: Sendable {
    public enum Change: Sendable, Equatable {
        case unchanged
        case changed
        /// The file has disappeared. The contents read before should be kept, because a new file may follow.
        case missing
    }

    public let path: String
    /// The last version of the file.
    public private(set) var seen: FileStamp?
    private var isMissing: Bool

    /// Starts from the current version of the file.
    public init(path: String) {
        self.path = path
        seen = FileStamp.of(path)
        isMissing = seen == nil
    }

    /// Checks the file for a change.
    public mutating func poll() -> Change {
        change(to: FileStamp.of(path))
    }

    /// The decision for a stamp. Each change is reported once. A file that reappears unchanged has not changed.
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
