import CLibPQ
import EventLoop
internal import Glibc
internal import Values

/// A keyword and value of libpq's connection parameters.
struct ConnectionParameter: Sendable {
    var keyword: String
    var value: String
}

/// User and password for the login. A nil value is taken from the URL.
public struct DatabaseCredentials: Sendable, Equatable {
    public var user: String?
    public var password: String?

    public init(user: String? = nil, password: String? = nil) {
        self.user = user
        self.password = password
    }
}

/// Address of the database and settings of its sessions.
///
/// Contains the password of the URL, which is never printed.
public struct DatabaseSettings: Sendable {
    /// The schema in `search_path` (`DATABASE_SCHEMA`).
    public var schema = "jobqueue"
    /// Application name in `pg_stat_activity`.
    public var applicationName = "jobqueue"
    /// Time for opening a connection, including name resolution, TLS and login. Set by `connect_timeout` of the URL, in
    /// seconds.
    public var connectTimeout = Duration.seconds(5)
    /// Maximum duration of a statement in PostgreSQL (`statement_timeout`).
    public var statementTimeout = Duration.seconds(30)
    /// Time for the network in addition to `statementTimeout`, before the deadline of a statement passes.
    public var answerGrace = Duration.seconds(5)

    /// Limits statements to `duration`, of which a fifth is for the network.
    public mutating func limitStatements(to duration: Duration) {
        answerGrace = duration / 5
        statementTimeout = duration - answerGrace
    }

    let urlParameters: [ConnectionParameter]

    /// An invalid URL. The description contains nothing of the URL, any part of which may be a piece of a password: one
    /// with an unescaped `@`, `/` or `?` makes libpq take the rest of it for the host or the port.
    public struct InvalidURL: Error, CustomStringConvertible {
        public let description: String
    }

    /// - Parameter url: a URI as accepted by libpq (PostgreSQL documentation, "Connection URIs"), with the scheme
    ///   `postgresql`, `postgres` or `postgresql+asyncpg`.
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
            throw InvalidURL(description: "is not a URI; accepted: postgresql://user@host:port/database")
        }
        guard ["postgresql", "postgres", "postgresql+asyncpg"].contains(url[..<separator.lowerBound]) else {
            throw InvalidURL(description: "has a scheme other than postgresql")
        }
        try checkAuthority(url[separator.upperBound...])
        var message: UnsafeMutablePointer<CChar>?
        let options = PQconninfoParse("postgresql" + url[separator.lowerBound...], &message)
        defer {
            PQconninfoFree(options)
            PQfreemem(message)
        }
        guard var option = options else {
            // libpq's message repeats the URI, or a part of it, in quotation marks.
            let reason = oneLine(message).prefix { $0 != "\"" && $0 != ":" }
            throw InvalidURL(
                description: "is not a valid libpq URI (\(reason.last == " " ? reason.dropLast() : reason))")
        }
        var parameters: [ConnectionParameter] = []
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                parameters.append(ConnectionParameter(keyword: String(cString: keyword), value: String(cString: value)))
            }
            option += 1
        }
        try checkAddresses(parameters)
        try checkFiles(parameters)
        return parameters
    }

    private static let escapesHint = "write @, :, / and ? in a user name or password as %40, %3A, %2F and %3F"

    /// libpq ends the password at the first `@`.
    private static func checkAuthority(_ rest: Substring) throws(InvalidURL) {
        let address = rest.prefix { $0 != "?" }
        let authority = address.prefix { $0 != "/" }
        let count = address.count { $0 == "@" }
        guard count <= 1, authority.count(where: { $0 == "@" }) == count else {
            throw InvalidURL(description: "has an @ where none is expected; \(escapesHint)")
        }
    }

    private static func checkAddresses(_ parameters: [ConnectionParameter]) throws(InvalidURL) {
        func values(_ keyword: String) -> [Substring] {
            let value = parameters.first { $0.keyword == keyword }?.value ?? ""
            return value.split(separator: ",", omittingEmptySubsequences: false)
        }
        for host in values("host") where !HostResolution.isSocketDirectory(String(host)) {
            guard host.utf8.allSatisfy(isOfHostName) else {
                throw InvalidURL(description: "has a host with a character that no host name has; \(escapesHint)")
            }
        }
        for port in values("port") where !port.isEmpty {
            guard let number = UInt16(port), number > 0 else {
                throw InvalidURL(description: "has a port that is not a number from 1 to 65535; \(escapesHint)")
            }
        }
    }

    /// Also of an address of IPv6 with a zone.
    private static func isOfHostName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: ":"), UInt8(ascii: "%"):
            true
        default: false
        }
    }

    /// libpq would wait for the writer of a named pipe, and the whole process with it.
    private static func checkFiles(_ parameters: [ConnectionParameter]) throws(InvalidURL) {
        for parameter in parameters
        where ["sslrootcert", "sslcert", "sslkey", "sslcrl"].contains(parameter.keyword) {
            var status = stat()
            guard stat(parameter.value, &status) == 0, let kind = FileKind.otherThanRegular(status.st_mode) else {
                continue
            }
            throw InvalidURL(description: "has as \(parameter.keyword) \(kind); a regular file is needed")
        }
    }

    /// The parameters of a connection, with unresolved host names. Session settings are not included, because a pooler
    /// such as PgBouncer rejects or ignores `options`.
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

    /// Defaults of connection parameters, which the URL can override. With them a silent peer is detected within about
    /// 15 s, even if nothing is sent.
    private static let defaults: [ConnectionParameter] = [
        ConnectionParameter(keyword: "keepalives_idle", value: "5"),
        ConnectionParameter(keyword: "keepalives_interval", value: "3"),
        ConnectionParameter(keyword: "keepalives_count", value: "3"),
        ConnectionParameter(keyword: "tcp_user_timeout", value: "15000"),
        ConnectionParameter(keyword: "gssencmode", value: "disable"),
    ]

    /// Names and values of the PostgreSQL parameters that are set after connecting, in this order: a later value of a
    /// parameter replaces an earlier one.
    func sessionParameters(_ profile: SessionProfile) -> [(name: String, value: String)] {
        [
            (name: "search_path", value: SQLIdentifier.quoted(schema)),
            (name: "statement_timeout", value: "\(statementTimeout.clampedNanoseconds / 1_000_000)ms"),
        ] + profile.parameters
    }
}
