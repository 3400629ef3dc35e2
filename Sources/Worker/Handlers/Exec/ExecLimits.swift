/// All limits of handlers that start a program.
enum ExecLimits {
    /// Maximum number of bytes kept of standard error, from its end.
    static let errorTailBytesMax = 65_536
    /// Maximum number of bytes of one read from a pipe; then other work of the loop gets its turn.
    static let readBytesMax = 65_536
    /// Maximum number of bytes of one read whose lines are parsed or passed on, each at the cost of some microseconds:
    /// at most a few milliseconds of the loop.
    static let lineReadBytesMax = 8_192
    /// Time for background processes to finish writing after the program has ended. Then the process group is killed.
    static let drainAfterExit = Duration.milliseconds(250)
    /// Time until the pipes are closed after that. A process that still holds them has left the process group.
    static let drainAfterKill = Duration.milliseconds(250)
    /// Maximum of `timeout_seconds`.
    static let timeoutSecondsMax = 2_592_000.0
    /// Maximum of `kill_grace_seconds`, the time between SIGTERM and SIGKILL.
    static let killGraceSecondsMax = 3_600.0
    /// Default of `kill_grace_seconds`.
    static let killGraceStandard = Duration.seconds(5)
    /// Maximum of the `snooze` that a program may request: the longest backoff of a job.
    static let snoozeSecondsMax = 604_800.0
}
