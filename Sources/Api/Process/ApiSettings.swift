internal import Configuration
internal import EventLoop
internal import Service

/// The settings of the api. The call that reads a variable declares it: `--help`, `--list-settings` and the tables of
/// `docs/configuration.md` come from here.
struct ApiSettings: Sendable {
    let log: LogSettings
    let sessions: SessionSettings
    let migrationsDirectory: String
    let serving: ServingSettings

    /// - Parameter command: commands need no key.
    init(reading settings: inout SettingsReader, command: CommandLineArguments.Command?) {
        let threads = settings.integer(
            "API_THREADS", default: min(UsableProcessors.count(), 4),
            defaultText: "the processors that the process may use, at most 4", in: 1...64,
            help: "Number of event loops, one thread each.")
        let connectionsMin = DatabaseSessions.connectionsMin * threads
        sessions = SessionSettings(
            reading: &settings, applicationName: "jobqueue-api",
            poolSize: .init(
                default: max(16, connectionsMin), text: "16, or 3 for each of API_THREADS if that is more",
                in: DatabaseSessions.connectionsMin...1_000,
                help: "Maximum number of connections to PostgreSQL of the process, without one for reports."))
        settings.require(
            sessions.poolSize >= connectionsMin, of: "DATABASE_POOL_SIZE", "API_THREADS",
            otherwise: "\(threads) threads need at least \(connectionsMin) connections, 3 for each")
        migrationsDirectory = settings.directory(
            "MIGRATIONS_DIR", default: "Migrations",
            help: "The directory of the files NNNN_name.sql, for the command `migrate`.")
        serving = ServingSettings(
            reading: &settings, threads: threads, connections: sessions.poolSize, needsKey: command == nil)
        log = LogSettings(reading: &settings)
    }
}
