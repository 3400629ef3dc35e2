internal import CLinux

/// Sees to it that no process group of a `ChildProcess` outlives this process, even if it is killed.
public enum ProcessGuard {
    /// Starts the guard, a process of its own that costs nothing while it sleeps; and, where this is the first process of
    /// a container, one that takes its place and reaps what children leave behind. Call it once, first of all in `main`:
    /// before any thread starts.
    public static func start() throws(SystemError) {
        try Syscall.check(clinux_leave_first_place(), "start a process that reaps orphans")
        try Syscall.check(clinux_guard_start(), "start the guard of child processes")
    }
}
