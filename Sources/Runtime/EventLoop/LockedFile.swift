internal import CLinux
internal import Glibc

/// A small file under a lock (flock(2)) that lasts as long as this process or a program that it started: the process
/// guard has a copy of the descriptor (`ProcessGuard`), and the kernel ends the lock with the last of them, however
/// they end.
public final class LockedFile: Sendable {
    private let path: String
    private let descriptor: OwnedDescriptor

    /// Opens the file, creating it if there is none, and locks it.
    /// - Returns: nil while another process has the lock.
    /// - Throws: also for a link, for anything but a regular file (EINVAL), for a file of another user (EPERM), and
    ///   without a process guard (ESRCH).
    public static func lock(_ path: String) throws(SystemError) -> LockedFile? {
        let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        let descriptor = OwnedDescriptor(try Syscall.check(open(path, flags, 0o600), "open", on: path))
        var status = stat()
        try Syscall.check(fstat(descriptor.number, &status), "fstat", on: path)
        guard status.st_mode & S_IFMT == S_IFREG else { throw SystemError("lock", on: path, number: EINVAL) }
        guard status.st_uid == geteuid() else { throw SystemError("lock", on: path, number: EPERM) }
        guard flock(descriptor.number, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw SystemError("flock", on: path) }
            return nil
        }
        guard clinux_guard_keep(descriptor.number) == 0 else {
            throw SystemError("give the guard", on: path, number: ESRCH)
        }
        return LockedFile(path: path, descriptor: descriptor)
    }

    private init(path: String, descriptor: consuming OwnedDescriptor) {
        self.path = path
        self.descriptor = descriptor
    }

    /// The first bytes of the file.
    public func bytes(atMost bytesMax: Int) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: bytesMax)
        let count = pread(descriptor.number, &bytes, bytesMax, 0)
        guard count >= 0 else { throw SystemError("read", on: path) }
        return Array(bytes[..<count])
    }

    /// Replaces the contents. A process that is killed meanwhile may leave a part of them.
    public func replace(with bytes: [UInt8]) throws(SystemError) {
        guard pwrite(descriptor.number, bytes, bytes.count, 0) == bytes.count,
            ftruncate(descriptor.number, off_t(bytes.count)) == 0
        else { throw SystemError("write", on: path) }
    }
}
