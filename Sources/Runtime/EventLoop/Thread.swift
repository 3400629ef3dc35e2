internal import CLinux
internal import Glibc

/// A detached thread that runs one closure. All signals are blocked on it: they belong to the loop that watches
/// them.
public enum Thread {
    private final class Body {
        let label: String
        let run: @Sendable () -> Void

        init(label: String, run: @escaping @Sendable () -> Void) {
            self.label = label
            self.run = run
        }
    }

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
