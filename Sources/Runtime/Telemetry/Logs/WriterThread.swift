import Glibc
import Synchronization

/// A detached thread, started without unsafe code: the body travels through a queue rather than through the untyped
/// argument of `pthread_create`. Each started thread takes one body, so it does not matter which thread takes which.
enum WriterThread {
    private static let bodies = Mutex<[@Sendable () -> Void]>([])

    /// All signals are blocked in the thread: those of the process belong to its event loop, and a SIGPIPE that a write
    /// of this thread raises stays pending here, while the write returns EPIPE.
    static func start(_ body: @escaping @Sendable () -> Void) throws(QueuedLogError) {
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        var thread = pthread_t()
        // Under the lock, so that on failure the last body is this one.
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
