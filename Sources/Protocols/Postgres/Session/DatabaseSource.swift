public import Configuration
internal import Synchronization

/// The configured database of a process, with the current credentials.
public final class DatabaseSource: Sendable {
    private let access: Mutex<DatabaseAccess>

    public init(_ access: DatabaseAccess) {
        self.access = Mutex(access)
    }

    /// Address and user for messages, without the password.
    public var description: String { access.withLock { $0.description } }

    /// The connection settings with the current parameters.
    public func settings(
        schema: String, applicationName: String
    ) throws(DatabaseSettings.InvalidURL) -> DatabaseSettings {
        var settings = try DatabaseSettings(access.withLock { $0.parameters })
        settings.schema = schema
        settings.applicationName = applicationName
        return settings
    }

    /// The current user and password for a new connection, after any rotation.
    public var credentials: ConnectionPool.CredentialsProvider {
        { [self] in try DatabaseSettings(access.withLock { $0.parameters }).credentials }
    }

    /// Reads the credentials file if it has changed. To be called about every two seconds. After `.rotated` the pools
    /// should retire their connections.
    public func refresh() -> DatabaseAccess.Rotation {
        access.withLock { $0.refresh() }
    }
}

extension DatabaseSettings {
    init(_ parameters: ConnectionParameters) throws(InvalidURL) {
        var all: [ConnectionParameter] = []
        for pair in parameters.pairs {
            // The first `dbname` may be a URI (libpq, `expand_dbname`).
            if pair.keyword == "dbname", pair.value.contains("://") {
                all += try DatabaseSettings(url: pair.value).urlParameters
            } else {
                all.removeAll { $0.keyword == pair.keyword }
                all.append(ConnectionParameter(keyword: pair.keyword, value: pair.value))
            }
        }
        self.init(parameters: all)
    }

    fileprivate var credentials: DatabaseCredentials {
        func value(_ keyword: String) -> String? { urlParameters.last { $0.keyword == keyword }?.value }
        return DatabaseCredentials(user: value("user"), password: value("password"))
    }
}
