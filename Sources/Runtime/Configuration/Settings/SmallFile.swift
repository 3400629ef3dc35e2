import Glibc
internal import Values

/// A file that could not be read or written.
public struct SmallFileError: Error, Sendable, Equatable, CustomStringConvertible {
    public let path: String
    /// What was wrong, such as `No such file or directory`.
    public let problem: String

    public var description: String { "\(Quoted.text(path)): \(problem)" }
}

/// Files that are read and written as a whole: secrets, credentials, the handlers file.
public enum SmallFile {
    /// The contents of a regular file. Throws if it is larger than `bytesMax` bytes, or is a named pipe or a device:
    /// reading one might never return.
    public static func bytes(of path: String, bytesMax: Int) throws(SmallFileError) -> [UInt8] {
        // Nonblocking, because opening a named pipe would otherwise wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else {
            // A socket cannot be opened (ENXIO); the kind says more than the error.
            let number = errno
            try checkKind(path, isA: .file)
            throw SmallFileError(path: path, errno: number)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw SmallFileError(path: path, errno: errno) }
        if let kind = FileKind.otherThanRegular(status.st_mode) { throw SmallFileError(path: path, isNoFileBut: kind) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw SmallFileError(path: path, errno: errno) }
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= bytesMax else {
                throw SmallFileError(path: path, problem: "is larger than \(bytesMax) bytes")
            }
        }
    }

    /// Creates or replaces a file atomically: a reader gets either the old or the new contents.
    /// - Parameter isDurable: whether to wait for the disk, so that this also holds after a crash of the machine.
    public static func replace(
        _ path: String, with bytes: [UInt8], isDurable: Bool = false
    ) throws(SmallFileError) {
        let draft = "\(path).\(getpid()).new"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o644)
        guard descriptor >= 0 else { throw SmallFileError(path: draft, errno: errno) }
        var written = 0
        while written < bytes.count {
            let count = write(descriptor, Array(bytes[written...]), bytes.count - written)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            written += count
        }
        let isComplete = written == bytes.count && (!isDurable || fsync(descriptor) == 0)
        let error = isComplete ? nil : SmallFileError(path: draft, errno: errno)
        close(descriptor)
        if error == nil, rename(draft, path) == 0 { return }
        let failure = error ?? SmallFileError(path: path, errno: errno)
        unlink(draft)
        throw failure
    }

    /// Whether a file or directory exists at this path.
    public static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }

    /// The value in a file of up to 64 KiB: UTF-8, without one newline at the end, as added by editors and `echo`.
    /// Throws if the file is empty, too large, not UTF-8 or contains a zero byte.
    public static func value(of path: String) throws(SmallFileError) -> String {
        var bytes = try bytes(of: path, bytesMax: 64 * 1024)
        if bytes.last == UInt8(ascii: "\n") {
            bytes.removeLast()
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        }
        guard !bytes.isEmpty else { throw SmallFileError(path: path, problem: "is empty") }
        guard !bytes.contains(0) else { throw SmallFileError(path: path, problem: "contains a zero byte") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SmallFileError(path: path, problem: "is not UTF-8")
        }
        return text
    }

    enum Kind {
        case file, directory
    }

    /// Throws unless the path is a readable regular file or directory, as given by `kind`.
    static func check(_ path: String, isA kind: Kind) throws(SmallFileError) {
        try checkKind(path, isA: kind)
        guard access(path, R_OK) == 0 else { throw SmallFileError(path: path, errno: errno) }
    }

    private static func checkKind(_ path: String, isA kind: Kind) throws(SmallFileError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw SmallFileError(path: path, errno: errno) }
        switch kind {
        case .file:
            if let kind = FileKind.otherThanRegular(status.st_mode) {
                throw SmallFileError(path: path, isNoFileBut: kind)
            }
        case .directory:
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw SmallFileError(path: path, problem: "is not a directory")
            }
        }
    }
}

extension SmallFileError {
    init(path: String, errno: Int32) {
        self.init(path: path, problem: String(cString: strerror(errno)))
    }

    /// - Parameter kind: of `FileKind`.
    fileprivate init(path: String, isNoFileBut kind: String) {
        self.init(path: path, problem: "is \(kind); a regular file is needed")
    }
}

/// Quotes external text in messages: in quotation marks, up to 64 characters, in printable ASCII.
enum Quoted {
    static func text(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(64).map { $0.escaped(asASCII: true) }.joined()
        return "\"\(shown)\(text.unicodeScalars.count > 64 ? "..." : "")\""
    }
}
