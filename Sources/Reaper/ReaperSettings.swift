internal import Configuration
internal import Jobs
internal import Service

/// The settings of the reaper.
struct ReaperSettings: Sendable {
    let log: LogSettings
    let sessions: SessionSettings
    let reclaimInterval: Duration
    let promoteInterval: Duration
    let retentionInterval: Duration
    let retention: RetentionPolicy
    /// nil: the watchdog runs only as a command.
    let watchdogInterval: Duration?
    let watchdog: WatchdogOrder
    let statusFile: StatusFile?

    static let prefixes = ["JOBQUEUE_", "REAPER_", "RETENTION_", "WATCHDOG_"]

    static let watchdogMinutes = 0...525_600
    static let watchdogJobs = 1...1_000
    private static let hoursMax = 10 * 366 * 24

    init(reading settings: inout SettingsReader) {
        sessions = SessionSettings(
            reading: &settings, applicationName: "jobqueue-reaper",
            poolSize: .init(
                default: 4, in: DatabaseSessions.connectionsMin...100,
                help: "Maximum number of connections to PostgreSQL."))
        reclaimInterval = settings.seconds(
            "REAPER_INTERVAL_SECONDS", default: .seconds(60), in: .seconds(1)...(.seconds(3_600)),
            help:
                "Maximum pause between two runs of the task that reclaims expired leases. It runs within about a "
                + "second of the next known expiry; this interval limits the delay for leases that it has not seen.")
        promoteInterval = settings.seconds(
            "REAPER_PROMOTE_INTERVAL_SECONDS", default: .milliseconds(100), in: .milliseconds(10)...(.seconds(60)),
            help: "Maximum pause between two runs of the task that promotes due jobs: the maximum delay of a job whose "
                + "run_at is nearer than that when it is created.")
        retention = RetentionPolicy(
            succeededHours: Self.hours("SUCCEEDED", 24, &settings), failedHours: Self.hours("FAILED", 168, &settings),
            cancelledHours: Self.hours("CANCELLED", 24, &settings))
        retentionInterval = settings.seconds(
            "RETENTION_INTERVAL_SECONDS", default: .seconds(300), in: .seconds(1)...(.seconds(86_400)),
            help: "Pause between two sweeps over ended jobs.")
        watchdogInterval = settings.optionalSeconds(
            "WATCHDOG_INTERVAL_SECONDS", in: .seconds(1)...(.seconds(86_400)),
            help:
                "Pause between two runs of the watchdog, which ends jobs that did not stop when they were cancelled. "
                + "Not set: only the command watchdog does.")
        watchdog = Self.watchdog(&settings)
        statusFile = StatusFile(reading: &settings, "REAPER_STATUS_FILE")
        log = LogSettings(reading: &settings)
    }

    private static func hours(_ status: String, _ standard: Int, _ settings: inout SettingsReader) -> Int32 {
        let hours = settings.integer(
            "RETENTION_\(status)_HOURS", default: standard, in: 1...hoursMax,
            help:
                "How long a \(status.lowercased()) job is kept after its end. If no other status is kept longer, it "
                + "is kept until its partition is dropped, up to a quarter of that or a day later.")
        return Int32(hours)
    }

    private static func watchdog(_ settings: inout SettingsReader) -> WatchdogOrder {
        let minutes = settings.integer(
            "WATCHDOG_OLDER_THAN_MINUTES", default: 30, in: watchdogMinutes,
            help: "Minutes since the cancellation of such a job.")
        let jobsMax = settings.integer(
            "WATCHDOG_MAX_JOBS", default: 20, in: watchdogJobs,
            help: "Maximum number of jobs that one run ends, oldest first."
        )
        let action = settings.enumeration(
            "WATCHDOG_ACTION", default: WatchdogOrder.Action.force,
            help: "force: the jobs become cancelled, and their teardowns are created. fail: they become failed.")
        return WatchdogOrder(olderThanMinutes: Int32(minutes), jobsMax: Int32(jobsMax), action: action)
    }
}
