import CLibPQ
import EventLoop
internal import Values

/// One keyword of libpq's connection parameters, and its value.
struct ConnectionParameter: Sendable {
    var keyword: String
    var value: String
}

/// Who logs in. What is nil is taken from the URL.
public struct DatabaseCredentials: Sendable, Equatable {
    public var user: String?
    public var password: String?

    public init(user: String? = nil, password: String? = nil) {
        self.user = user
        self.password = password
    }
}

/// Where PostgreSQL is, and how sessions with it begin.
///
/// It holds the password of the URL; nothing here prints it.
public struct DatabaseSettings: Sendable {
    /// The schema that unqualified names mean (`DATABASE_SCHEMA`).
    public var schema = "jobqueue"
    /// Shown by `pg_stat_activity`.
    public var applicationName = "jobqueue"
    /// How long connecting may take in all: name lookup, TLS and login. `connect_timeout` of the URL sets it, in seconds.
    public var connectTimeout = Duration.seconds(5)
    /// PostgreSQL aborts a statement that runs for longer (`statement_timeout`).
    public var statementTimeout = Duration.seconds(30)
    /// The network is given this much longer than the statement before the answer counts as lost.
    public var answerGrace = Duration.seconds(5)

    let urlParameters: [ConnectionParameter]

    /// What is wrong with a URL, without quoting it: it may hold a password.
    public struct InvalidURL: Error, CustomStringConvertible {
        public let description: String
    }

    /// - Parameter url: a URI as libpq takes it (documentation, "Connection URIs"); `postgresql+asyncpg://` counts
    ///   as `postgresql://`.
    public init(url: String) throws(InvalidURL) {
        self.init(parameters: try DatabaseSettings.parse(url))
    }

    /// Every parameter as libpq has it by default.
    public init() {
        self.init(parameters: [])
    }

    init(parameters: [ConnectionParameter]) {
        urlParameters = parameters
        let timeout = parameters.first { $0.keyword == "connect_timeout" }.flatMap { Int32($0.value) }
        if let timeout, timeout > 0 { connectTimeout = .seconds(timeout) }
    }

    private static func parse(_ url: String) throws(InvalidURL) -> [ConnectionParameter] {
        guard let separator = url.firstRange(of: "://") else {
            throw InvalidURL(description: "is not a URI; accepted is postgresql://user@host:port/database")
        }
        guard ["postgresql", "postgres", "postgresql+asyncpg"].contains(url[..<separator.lowerBound]) else {
            throw InvalidURL(description: "has a scheme other than postgresql")
        }
        var message: UnsafeMutablePointer<CChar>?
        let options = PQconninfoParse("postgresql" + url[separator.lowerBound...], &message)
        defer {
            PQconninfoFree(options)
            PQfreemem(message)
        }
        guard var option = options else {
            // After the colon libpq quotes the URI.
            let reason = oneLine(message).firstRange(of: ": \"").map { oneLine(message)[..<$0.lowerBound] }
            throw InvalidURL(description: reason.map { String($0) } ?? "is not a URI that libpq can read")
        }
        var parameters: [ConnectionParameter] = []
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                parameters.append(ConnectionParameter(keyword: String(cString: keyword), value: String(cString: value)))
            }
            option += 1
        }
        return parameters
    }

    /// The parameters of one connection, host names not yet resolved. No setting of the session is among them: a pooler
    /// such as PgBouncer refuses `options`, or is told to drop them unseen.
    func parameters(credentials: DatabaseCredentials?) -> [ConnectionParameter] {
        var parameters = DatabaseSettings.defaults
        func set(_ keyword: String, _ value: String) {
            parameters.removeAll { $0.keyword == keyword }
            parameters.append(ConnectionParameter(keyword: keyword, value: value))
        }
        for parameter in urlParameters { set(parameter.keyword, parameter.value) }
        set("application_name", applicationName)
        set("client_encoding", "UTF8")
        if let user = credentials?.user { set("user", user) }
        if let password = credentials?.password { set("password", password) }
        return parameters
    }

    /// What holds unless the URL says otherwise. A peer that answers nothing is noticed within about 15 s, also
    /// while nothing is being sent.
    private static let defaults: [ConnectionParameter] = [
        ConnectionParameter(keyword: "keepalives_idle", value: "5"),
        ConnectionParameter(keyword: "keepalives_interval", value: "3"),
        ConnectionParameter(keyword: "keepalives_count", value: "3"),
        ConnectionParameter(keyword: "tcp_user_timeout", value: "15000"),
        ConnectionParameter(keyword: "gssencmode", value: "disable"),
    ]

    /// What the session is set to once it is connected: names and values of PostgreSQL's parameters.
    func sessionParameters(_ profile: SessionProfile) -> [(name: String, value: String)] {
        [
            (name: "search_path", value: SQLIdentifier.quoted(schema)),
            (name: "statement_timeout", value: "\(statementTimeout.clampedNanoseconds / 1_000_000)ms"),
        ] + profile.parameters
    }
}
