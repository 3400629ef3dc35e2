/// Keywords and values for libpq's `PQconnectStartParams` with `expand_dbname`. Of a repeated keyword the last is used;
/// the first `dbname` may be a URI, which is expanded in its position.
public struct ConnectionParameters: Sendable, Equatable, CustomStringConvertible {
    public struct Pair: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
        public let keyword: String
        /// May be a secret and is not printed.
        public let value: String

        public var description: String { "\(keyword)=***" }
        public var customMirror: Mirror { Mirror(self, children: ["keyword": keyword]) }
    }

    public private(set) var pairs: [Pair] = []

    public init() {}

    public mutating func append(_ keyword: String, _ value: String) {
        pairs.append(Pair(keyword: keyword, value: value))
    }

    public var description: String {
        pairs.map(\.description).joined(separator: " ")
    }
}

/// Address and credentials of the database: `DATABASE_URL`, overridden by the contents of the file
/// `DATABASE_CREDENTIALS_FILE`, which may be replaced at any time (Vault rotates credentials).
public struct DatabaseAccess: Sendable {
    /// Parameters for new connections.
    public private(set) var parameters: ConnectionParameters
    /// Address and user for messages, without the password.
    public private(set) var description: String
    private let url: DatabaseURL?
    private var credentials: FileWatch?

    public enum Rotation: Sendable, Equatable {
        case unchanged
        /// The parameters have changed. Existing connections should be closed when they are released.
        case rotated
        /// The file cannot be used. The previous parameters stay in use; the next call tries again.
        case failed(String)
    }

    /// Reads `DATABASE_URL` and `DATABASE_CREDENTIALS_FILE`. One of them is required.
    public init(reading settings: inout SettingsReader) {
        url = settings.optionalDatabaseURL(
            "DATABASE_URL", help: "The database. Required unless DATABASE_CREDENTIALS_FILE says where it is.")
        let path = settings.optionalFile(
            "DATABASE_CREDENTIALS_FILE",
            help: "Lines such as export PGUSER=\"...\", as a Vault agent renders them; read again when they change. "
                + "PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD and DATABASE_URL in it override DATABASE_URL.",
            isAwaited: true)
        credentials = path.map { FileWatch(path: $0) }
        parameters = ConnectionParameters()
        description = ""
        if let problem = adopt() {
            settings.add(
                ConfigurationProblem(setting: "DATABASE_CREDENTIALS_FILE", problem: problem, accepted: nil))
        }
        let hasProblem = settings.problems.contains { problem in
            problem.setting.hasPrefix("DATABASE_URL") || problem.setting.hasPrefix("DATABASE_CREDENTIALS_FILE")
        }
        settings.require(
            !parameters.pairs.isEmpty || hasProblem, of: "DATABASE_URL",
            otherwise: "is not set (accepted: \(DatabaseURL.accepted))")
    }

    /// Reads the credentials file if it has changed. To be called about every two seconds.
    public mutating func refresh() -> Rotation {
        guard var watch = credentials else { return .unchanged }
        let before = (parameters, credentials)
        switch watch.poll() {
        case .unchanged:
            return .unchanged
        case .missing:
            credentials = watch
            return .failed("\(Quoted.text(watch.path)): the file is gone")
        case .changed:
            credentials = watch
            if let problem = adopt() {
                // The change is not recorded, so that the next call reads the file again.
                credentials = before.1
                return .failed(problem)
            }
            return parameters == before.0 ? .unchanged : .rotated
        }
    }

    /// Reads the current parameters. Returns the problem, and changes nothing, if that fails.
    private mutating func adopt() -> String? {
        var values: [String: String] = [:]
        var url = url
        if let path = credentials?.path {
            do throws(ShellAssignmentsError) {
                values = try ShellAssignments(contentsOf: path).values.filter { !$0.value.isEmpty }
            } catch {
                return error.description
            }
            if let text = values["DATABASE_URL"] {
                do throws(SettingMistake) {
                    url = try DatabaseURL(parsing: text)
                } catch {
                    return "\(Quoted.text(path)): DATABASE_URL \(error.problem)"
                }
            }
        }
        var parameters = ConnectionParameters()
        if let url { parameters.append("dbname", url.revealed) }
        for (name, keyword) in Self.keywords {
            if let value = values[name] { parameters.append(keyword, value) }
        }
        guard !parameters.pairs.isEmpty || credentials == nil else {
            return "\(Quoted.text(credentials?.path ?? "")): has none of "
                + (Self.keywords.map(\.0) + ["DATABASE_URL"]).joined(separator: ", ")
        }
        self.parameters = parameters
        description = (url?.description ?? "postgresql://") + (values["PGUSER"].map { " as \(Quoted.text($0))" } ?? "")
        return nil
    }

    private static let keywords = [
        ("PGHOST", "host"), ("PGPORT", "port"), ("PGDATABASE", "dbname"), ("PGUSER", "user"),
        ("PGPASSWORD", "password"),
    ]
}

extension DatabaseAccess: CustomStringConvertible {}
