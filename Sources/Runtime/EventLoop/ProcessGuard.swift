internal import CLinux

/// Kills the process groups of `ChildProcess` when this process ends, even if it is killed.
public enum ProcessGuard {
    /// Starts the guard, a separate process that sleeps until this process ends or a deadline passes. If this process
    /// has PID 1, as in a container, it first starts an init process that reaps orphans, and continues as its child.
    /// Must be called once, at the start of `main`, before any thread starts.
    public static func start() throws(SystemError) {
        try Syscall.check(clinux_init_start(), "start the init process")
        try Syscall.check(clinux_guard_start(), "start the guard of child processes")
    }
}
