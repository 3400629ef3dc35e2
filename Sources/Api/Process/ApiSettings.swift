internal import Configuration
internal import EventLoop
internal import Jobs
internal import Postgres
internal import TLS
internal import Telemetry

/// All that the environment decides about this process. The call that reads a variable is all there is to know about it:
/// `--help`, `--list-settings` and the tables of `docs/configuration.md` come from here.
struct ApiSettings: Sendable {
    let log: LogSettings
    let database: DatabaseSource
    private let schema: String
    let migrationsDirectory: String
    let serving: ServingSettings

    /// - Parameter command: `migrate` needs no key.
    init(reading settings: inout SettingsReader, command: CommandLineArguments.Command?) {
        let access = DatabaseAccess(reading: &settings)
        schema = settings.databaseSchema()
        database = DatabaseSource(access)
        migrationsDirectory = settings.directory(
            "MIGRATIONS_DIR", default: "Migrations", help: "Where `migrate` finds the files NNNN_name.sql.")
        serving = ServingSettings(reading: &settings, needsKey: command == nil)
        log = LogSettings(reading: &settings)
        do throws(DatabaseSettings.InvalidURL) {
            _ = try sessions()
        } catch {
            // What libpq does not understand is a problem of the configuration too.
            settings.require(false, of: "DATABASE_URL", otherwise: error.description)
        }
    }

    /// Where PostgreSQL is, and how sessions with it begin.
    func sessions() throws(DatabaseSettings.InvalidURL) -> DatabaseSettings {
        try database.settings(schema: schema, applicationName: "jobqueue-api")
    }
}

/// How the log looks.
struct LogSettings: Sendable {
    enum Form: String, CaseIterable {
        case json, console
    }

    let level: LogLevel
    let format: LogFormat

    init(reading settings: inout SettingsReader) {
        level = settings.enumeration("LOG_LEVEL", default: .info, help: "Lines below this level are not written.")
        let form: Form = settings.enumeration(
            "LOG_FORMAT", default: .json, help: "One JSON object a line, or lines for people.")
        format = form == .json ? .json : .console()
    }
}
