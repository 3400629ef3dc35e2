import Glibc
internal import Values

/// A certificate, key or trust file that cannot be used.
public struct TLSFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The path as given.
    public let file: String
    /// What is wrong with the file, and what is accepted.
    public let reason: String

    public var description: String { "\(file): \(reason)" }
}

/// The contents of a file, with the version of the file that was read.
struct PEMFile {
    /// Maximum size in bytes, far above that of any certificate chain.
    static let byteCountMax = 1 << 20

    let path: String
    let bytes: [UInt8]
    let version: FileVersion

    init(path: String) throws(TLSFileError) {
        // Nonblocking, because opening a named pipe would otherwise wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw TLSFileError(file: path, reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw TLSFileError(file: path, reason: String(cString: strerror(errno)))
        }
        if let kind = FileKind.otherThanRegular(status.st_mode) {
            throw TLSFileError(file: path, reason: "is \(kind); a regular file is needed")
        }
        guard status.st_size <= PEMFile.byteCountMax else {
            throw TLSFileError(file: path, reason: "is larger than \(PEMFile.byteCountMax) bytes")
        }
        self.path = path
        version = FileVersion(status)
        bytes = try PEMFile.readAll(descriptor, path)
    }

    private static func readAll(_ descriptor: Int32, _ path: String) throws(TLSFileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16_384)
        while bytes.count <= byteCountMax {
            let count = read(descriptor, &piece, piece.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw TLSFileError(file: path, reason: String(cString: strerror(errno))) }
            if count == 0 { break }
            bytes.append(contentsOf: piece[..<count])
        }
        return bytes
    }
}

/// The identity and times of a file, by which a change is detected without reading it. They differ after the file was
/// written or replaced, or a symbolic link to it was swapped, as Kubernetes does for mounted secrets.
struct FileVersion: Hashable {
    private let device: UInt
    private let inode: UInt
    private let byteCount: Int
    private let modifiedSeconds: Int
    private let modifiedNanoseconds: Int
    private let changedSeconds: Int
    private let changedNanoseconds: Int

    fileprivate init(_ status: stat) {
        device = status.st_dev
        inode = status.st_ino
        byteCount = status.st_size
        modifiedSeconds = status.st_mtim.tv_sec
        modifiedNanoseconds = status.st_mtim.tv_nsec
        changedSeconds = status.st_ctim.tv_sec
        changedNanoseconds = status.st_ctim.tv_nsec
    }

    /// The version of the file at a path now; nil if there is no file.
    init?(at path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }
}
