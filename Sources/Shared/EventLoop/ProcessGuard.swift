internal import CLinux

/// Sees to it that no process group of a `ChildProcess` outlives this process, even if it is killed.
public enum ProcessGuard {
    /// Starts the guard, a process of its own that costs nothing while it sleeps. Call it once, first of all in `main`:
    /// before any thread starts.
    public static func start() throws(SystemError) {
        try Syscall.check(clinux_guard_start(), "start the guard of child processes")
    }
}
