internal import Configuration
internal import Jobs
internal import Postgres
internal import Telemetry
internal import Workers

/// What the environment says, checked.
struct ReaperSettings: Sendable {
    enum LogStyle: String, CaseIterable {
        case json, console
    }

    let logLevel: LogLevel
    let logStyle: LogStyle
    let database: DatabaseSource
    let schema: String
    let poolSize: Int
    let reclaimInterval: Duration
    let promoteInterval: Duration
    let retentionInterval: Duration
    let retention: RetentionPolicy
    /// nil: the watchdog runs only as a command.
    let watchdogInterval: Duration?
    let watchdog: WatchdogOrder
    /// nil: nobody probes this process.
    let statusFile: StatusFile?

    /// Of the pool, one connection is for what takes long (partitions), and one for notifications.
    static let poolSizeMin = 3
    /// Prefixes of variables that nobody but the reaper reads: an unknown one is a warning.
    static let prefixes = ["JOBQUEUE_", "REAPER_", "RETENTION_", "WATCHDOG_"]

    static let watchdogMinutes = 0...525_600
    static let watchdogJobs = 1...1_000
    private static let hoursMax = 10 * 366 * 24

    /// Declares and reads every variable.
    init(reading settings: inout SettingsReader) {
        database = DatabaseSource(DatabaseAccess(reading: &settings))
        schema = settings.string(
            "DATABASE_SCHEMA", default: "jobqueue", help: "The schema that holds the tables.",
            accepts: "a name of a-z, 0-9 and _, not longer than 48", where: Self.isSchemaName)
        poolSize = settings.integer(
            "DATABASE_POOL_SIZE", default: 4, in: Self.poolSizeMin...100,
            help: "Connections to PostgreSQL at most.")
        reclaimInterval = settings.seconds(
            "REAPER_INTERVAL_SECONDS", default: .seconds(60), in: .seconds(1)...(.seconds(3_600)),
            help: "The longest pause between two looks for expired leases. The reaper looks sooner, within a second "
                + "or so, when a lease expires that it has seen; this is the most that one costs which it has not.")
        promoteInterval = settings.seconds(
            "REAPER_PROMOTE_INTERVAL_SECONDS", default: .milliseconds(100), in: .milliseconds(10)...(.seconds(60)),
            help: "The longest pause between two looks for delayed jobs that are due: the most that a job starts late "
                + "whose time is so near when it is created.")
        retention = RetentionPolicy(
            succeededHours: Self.hours("SUCCEEDED", 24, &settings), failedHours: Self.hours("FAILED", 168, &settings),
            cancelledHours: Self.hours("CANCELLED", 24, &settings))
        retentionInterval = settings.seconds(
            "RETENTION_INTERVAL_SECONDS", default: .seconds(300), in: .seconds(1)...(.seconds(86_400)),
            help: "The pause between two sweeps over the jobs that ended.")
        watchdogInterval = settings.optionalSeconds(
            "WATCHDOG_INTERVAL_SECONDS", in: .seconds(1)...(.seconds(86_400)),
            help: "The pause between two looks for jobs that did not stop when they were asked to; not set: only the "
                + "command watchdog looks.")
        watchdog = Self.watchdog(&settings)
        statusFile = StatusFile(reading: &settings, "REAPER_STATUS_FILE")
        logLevel = settings.enumeration(
            "LOG_LEVEL", default: LogLevel.info, help: "Lines below this level are not written.")
        logStyle = settings.enumeration(
            "LOG_FORMAT", default: LogStyle.json, help: "json for programs, console for people.")
        do throws(DatabaseSettings.InvalidURL) {
            _ = try sessions()
        } catch {
            // What libpq does not understand is a problem of the configuration too.
            settings.require(false, of: "DATABASE_URL", otherwise: error.description)
        }
    }

    /// Where PostgreSQL is, and how sessions with it begin.
    func sessions() throws(DatabaseSettings.InvalidURL) -> DatabaseSettings {
        try database.settings(schema: schema, applicationName: "jobqueue-reaper")
    }

    private static func hours(_ status: String, _ standard: Int, _ settings: inout SettingsReader) -> Int32 {
        let hours = settings.integer(
            "RETENTION_\(status)_HOURS", default: standard, in: 1...hoursMax,
            help: "For how long a \(status.lowercased()) job is kept after its end; if no other status is kept longer, "
                + "until its partition is dropped, a quarter of that or a day later.")
        return Int32(hours)
    }

    private static func watchdog(_ settings: inout SettingsReader) -> WatchdogOrder {
        let minutes = settings.integer(
            "WATCHDOG_OLDER_THAN_MINUTES", default: 30, in: watchdogMinutes,
            help: "For how long such a job has had time to stop.")
        let jobsMax = settings.integer(
            "WATCHDOG_MAX_JOBS", default: 20, in: watchdogJobs, help: "How many of them one run ends, the oldest first."
        )
        let action = settings.enumeration(
            "WATCHDOG_ACTION", default: WatchdogOrder.Action.force,
            help: "force: they are cancelled, and their teardowns created; fail: they have failed.")
        return WatchdogOrder(olderThanMinutes: Int32(minutes), jobsMax: Int32(jobsMax), action: action)
    }

    private static func isSchemaName(_ text: String) -> Bool {
        func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
        guard text.utf8.count <= 48, let first = text.utf8.first, !isDigit(first) else { return false }
        return text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || isDigit(byte) || byte == UInt8(ascii: "_")
        }
    }
}
