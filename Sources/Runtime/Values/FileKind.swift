/// The kinds of a file other than a regular one, by name, for messages about a path that must be a regular file.
public enum FileKind {
    /// The bits of `st_mode` that hold the kind (inode(7)).
    private static let mask: UInt32 = 0o170000

    /// For example `a named pipe`; nil for a regular file.
    /// - Parameter mode: `st_mode` of stat(2).
    public static func otherThanRegular(_ mode: UInt32) -> String? {
        switch mode & mask {
        case 0o100000: nil
        case 0o040000: "a directory"
        case 0o010000: "a named pipe"
        case 0o020000: "a character device"
        case 0o060000: "a block device"
        case 0o140000: "a socket"
        default: "not a regular file"
        }
    }
}
