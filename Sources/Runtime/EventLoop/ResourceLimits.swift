internal import Glibc

/// What the kernel lets this process have (setrlimit(2)).
public enum ResourceLimits {
    /// Takes as many file descriptors as an unprivileged process may: the soft limit is 1,024 on most systems, for the
    /// sake of programs that use select(2).
    /// - Returns: how many they are now.
    @discardableResult
    public static func raiseDescriptors() -> Int {
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(kind, &limit) == 0 else { return 0 }
        limit.rlim_cur = limit.rlim_max
        setrlimit(kind, &limit)
        getrlimit(kind, &limit)
        return Int(clamping: limit.rlim_cur)
    }

    /// A crash writes no image of the memory, which holds secrets.
    public static func forbidCoreFiles() {
        var limit = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
    }
}
