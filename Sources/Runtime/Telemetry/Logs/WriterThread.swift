import Glibc
import Synchronization

/// Starts detached threads without unsafe code: the body is passed through a queue instead of the untyped argument of
/// `pthread_create`. Each thread takes one body; which one does not matter.
enum WriterThread {
    private static let bodies = Mutex<[@Sendable () -> Void]>([])

    /// All signals are blocked in the thread: signals to the process are handled by its event loop, and a SIGPIPE
    /// raised by a write of this thread stays pending, while the write returns EPIPE.
    static func start(_ body: @escaping @Sendable () -> Void) throws(QueuedLogError) {
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        var thread = pthread_t()
        // Within the lock, so that after a failure the last body is this one.
        let status = bodies.withLock { bodies in
            bodies.append(body)
            let status = pthread_create(
                &thread, nil,
                { _ in
                    WriterThread.bodies.withLock { $0.removeFirst() }()
                    return nil
                }, nil)
            if status != 0 { bodies.removeLast() }
            return status
        }
        pthread_sigmask(SIG_SETMASK, &before, nil)
        guard status == 0 else { throw QueuedLogError(call: "pthread_create", errno: status) }
        pthread_detach(thread)
    }
}
