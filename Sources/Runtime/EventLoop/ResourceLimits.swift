internal import CLinux
internal import Glibc

/// Resource limits of this process (setrlimit(2)).
public enum ResourceLimits {
    /// Raises the soft limit of file descriptors to the hard limit. The soft limit is 1,024 on most systems, for
    /// programs that use select(2).
    /// - Returns: the new soft limit.
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

    /// Disables core files: memory contains secrets.
    public static func forbidCoreFiles() {
        var limit = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
    }

    /// Keeps other processes of the same user, such as the programs of jobs, from reading the memory and the
    /// environment of this process. A process with the capabilities of root can do so nevertheless.
    public static func forbidInspection() throws(SystemError) {
        guard clinux_forbid_inspection() == 0 else { throw SystemError("prctl(PR_SET_DUMPABLE)") }
    }
}
