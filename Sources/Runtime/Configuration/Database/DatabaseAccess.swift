/// Keywords and values for libpq's `PQconnectStartParams` with `expand_dbname`. Of a keyword that stands twice the later
/// counts, except that the first `dbname` may be a URI, which is expanded in its place.
public struct ConnectionParameters: Sendable, Equatable, CustomStringConvertible {
    public struct Pair: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
        public let keyword: String
        /// May be a secret, so it is not printed.
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

/// Where the database is, and as whom to go there: `DATABASE_URL`, and over it what stands in the file that
/// `DATABASE_CREDENTIALS_FILE` names, which may be replaced at any time (Vault rotates credentials).
public struct DatabaseAccess: Sendable {
    /// For new connections.
    public private(set) var parameters: ConnectionParameters
    /// For people: without password.
    public private(set) var description: String
    private let url: DatabaseURL?
    private var credentials: FileWatch?

    public enum Rotation: Sendable, Equatable {
        case unchanged
        /// New connections use new parameters; those made before should be retired when they are released.
        case rotated
        /// The file cannot be used now. The parameters from before stay; the next call tries again.
        case failed(String)
    }

    /// Reads `DATABASE_URL` and `DATABASE_CREDENTIALS_FILE`. One of them must be given.
    public init(reading settings: inout SettingsReader) {
        url = settings.optionalDatabaseURL(
            "DATABASE_URL", help: "The database. Required unless DATABASE_CREDENTIALS_FILE says where it is.")
        let path = settings.optionalFile(
            "DATABASE_CREDENTIALS_FILE",
            help: "Lines such as export PGUSER=\"...\", as a Vault agent renders them; read again when they change. "
                + "PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD and DATABASE_URL in it override DATABASE_URL.")
        credentials = path.map { FileWatch(path: $0) }
        parameters = ConnectionParameters()
        description = ""
        if let problem = adopt() {
            settings.add(
                ConfigurationProblem(place: "DATABASE_CREDENTIALS_FILE", problem: problem, accepted: nil))
        }
        let hasProblem = settings.problems.contains { problem in
            problem.place.hasPrefix("DATABASE_URL") || problem.place.hasPrefix("DATABASE_CREDENTIALS_FILE")
        }
        settings.require(
            !parameters.pairs.isEmpty || hasProblem, of: "DATABASE_URL",
            otherwise: "is not set (accepted: \(DatabaseURL.accepted))")
    }

    /// Looks whether the credentials file has changed, and reads it if so. To be called every two seconds or so.
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
                // Not known as seen: it is read again next time, until it is whole.
                credentials = before.1
                return .failed(problem)
            }
            return parameters == before.0 ? .unchanged : .rotated
        }
    }

    /// Takes the parameters that hold now, or says why it cannot and changes nothing.
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
