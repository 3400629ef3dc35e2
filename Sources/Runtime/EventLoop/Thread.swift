internal import CLinux
internal import Glibc

/// Detached threads. A thread inherits the signal mask, so signals blocked by `Signals.block` stay with the loop that
/// handles them.
public enum Thread {
    private final class Body {
        let label: String
        let run: @Sendable () -> Void

        init(label: String, run: @escaping @Sendable () -> Void) {
            self.label = label
            self.run = run
        }
    }

    /// Runs a closure on a new thread.
    /// - Parameter label: name of the thread, truncated to 15 bytes.
    public static func start(label: String, _ run: @escaping @Sendable () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let body = Unmanaged.passRetained(Body(label: label, run: run))
        let status = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                clinux_name_thread(body.label)
                body.run()
                return nil
            }, body.toOpaque())
        pthread_attr_destroy(&attributes)
        precondition(status == 0, "pthread_create: \(String(cString: strerror(status)))")
    }
}
