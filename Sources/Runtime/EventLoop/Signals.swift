internal import CLinux
internal import Glibc

/// Signals as events of a loop (signalfd(2)).
///
/// The signals must be blocked in every thread, or the kernel delivers them to a handler instead. `main` calls `block`
/// before it starts threads, which inherit the mask.
public enum Signals {
    public static let terminate = SIGTERM
    public static let interrupt = SIGINT
    public static let hangUp = SIGHUP
    public static let kill = SIGKILL

    /// Blocks signals in the calling thread and in the threads that it starts later.
    public static func block(_ numbers: [Int32]) {
        var set = mask(numbers)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Blocks the calling thread until one of these signals arrives.
    /// - Returns: the signal; nil after `duration`.
    public static func wait(for numbers: [Int32], atMost duration: Duration) -> Int32? {
        var set = mask(numbers)
        let parts = duration.components
        var limit = timespec(tv_sec: Int(parts.seconds), tv_nsec: Int(parts.attoseconds / 1_000_000_000))
        let number = sigtimedwait(&set, nil, &limit)
        return number > 0 ? number : nil
    }

    /// Calls `handler` on the loop for each of these signals, until the process ends.
    /// - Precondition: called on the loop.
    public static func handle(
        _ numbers: [Int32], on loop: Loop, _ handler: @escaping (Int32) -> Void
    ) throws(SystemError) {
        var set = mask(numbers)
        let flags = Int32(SFD_CLOEXEC | SFD_NONBLOCK)
        let descriptor = try Syscall.check(signalfd(-1, &set, flags), "signalfd")
        _ = try loop.watch(descriptor, .readable) { _ in
            while let number = next(descriptor) { handler(number) }
        }
    }

    private static func next(_ descriptor: Int32) -> Int32? {
        var information = signalfd_siginfo()
        return withUnsafeMutableBytes(of: &information) { bytes in
            guard case .bytes(bytes.count) = Syscall.read(descriptor, into: bytes) else { return nil }
            return Int32(bytes.loadUnaligned(as: signalfd_siginfo.self).ssi_signo)
        }
    }

    private static func mask(_ numbers: [Int32]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        return set
    }
}
