/// All bounds of handlers that start a program.
enum ExecLimits {
    /// What is kept of standard error, from its end.
    static let errorTailBytesMax = 65_536
    /// Most bytes read from a pipe before other work of the loop has its turn.
    static let readBytesMax = 65_536
    /// How long the output may go on after the program has ended, when what it started holds the pipes open. Then its
    /// process group is killed.
    static let drainAfterExit = Duration.milliseconds(250)
    /// How long the pipes may stay open after that. Whoever still holds them has left the process group.
    static let drainAfterKill = Duration.milliseconds(250)
    /// Of `timeout_seconds`.
    static let timeoutSecondsMax = 2_592_000.0
    /// Of `kill_grace_seconds`: between SIGTERM and SIGKILL.
    static let killGraceSecondsMax = 3_600.0
    static let killGraceStandard = Duration.seconds(5)
    /// Of the `snooze` that a program may ask for: as long as the longest backoff.
    static let snoozeSecondsMax = 604_800.0
}
