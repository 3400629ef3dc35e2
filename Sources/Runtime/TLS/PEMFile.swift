import Glibc

/// Why a certificate, key or trust file cannot be used.
public struct TLSFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file as it was given.
    public let file: String
    public let reason: String

    public var description: String { "\(file): \(reason)" }
}

/// The bytes of a file, and which version of the file they are.
struct PEMFile {
    /// Far above any chain of certificates, bytes.
    static let byteCountMax = 1 << 20

    let path: String
    let bytes: [UInt8]
    let version: FileVersion

    init(path: String) throws(TLSFileError) {
        // Not blocking, lest opening a named pipe waits for its writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw TLSFileError(file: path, reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw TLSFileError(file: path, reason: String(cString: strerror(errno)))
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw TLSFileError(file: path, reason: "is not a file") }
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

/// What tells one version of a file from another without reading it: a file that was written, replaced, or reached
/// through another symbolic link (as Kubernetes swaps mounted secrets) differs in one of these.
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

    /// The version that stands at the path now; nil when there is none.
    init?(at path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }
}
