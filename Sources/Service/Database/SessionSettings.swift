public import Configuration
public import Postgres

/// The variables DATABASE_URL, DATABASE_CREDENTIALS_FILE, DATABASE_SCHEMA and DATABASE_POOL_SIZE.
public struct SessionSettings: Sendable {
    /// The declaration of DATABASE_POOL_SIZE, which differs between programs.
    public struct PoolSize: Sendable {
        let standard: Int
        let standardText: String?
        let range: ClosedRange<Int>
        let help: String

        /// - Parameter standardText: the default in words, if it depends on other settings.
        public init(default standard: Int, text standardText: String? = nil, in range: ClosedRange<Int>, help: String) {
            self.standard = standard
            self.standardText = standardText
            self.range = range
            self.help = help
        }
    }

    /// The database, with the credentials of the moment.
    public let source: DatabaseSource
    /// How sessions begin.
    public let database: DatabaseSettings
    /// Connections.
    public let poolSize: Int

    public var schema: String { database.schema }

    /// - Parameter applicationName: for `pg_stat_activity`: `jobqueue-worker`.
    public init(reading settings: inout SettingsReader, applicationName: String, poolSize size: PoolSize) {
        source = DatabaseSource(DatabaseAccess(reading: &settings))
        let schema = settings.databaseSchema()
        poolSize = settings.integer(
            "DATABASE_POOL_SIZE", default: size.standard, defaultText: size.standardText, in: size.range,
            help: size.help)
        do throws(DatabaseSettings.InvalidURL) {
            database = try source.settings(schema: schema, applicationName: applicationName)
        } catch {
            // A URL that libpq does not understand is a configuration error too.
            settings.require(false, of: "DATABASE_URL", otherwise: error.description)
            database = DatabaseSettings()
        }
    }
}
