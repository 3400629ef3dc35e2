/// Why the schema could not be brought, or found, up to date.
public enum MigrationError: PostgresErrorConvertible, Sendable {
    case unreadable(String, reason: String)
    case badFile(String, reason: String)
    /// Files and database do not belong together; nothing was changed.
    case refused([MigrationPlan.Conflict])
    /// Another process is migrating, and did not finish within the time allowed.
    case locked(waited: Duration)
    /// A statement failed. The file was rolled back, unless it is a `-- no-transaction` file.
    case failed(file: String, line: Int, error: PostgresError)
    case database(PostgresError)

    public init(_ error: PostgresError) { self = .database(error) }
}

extension MigrationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "\(path): \(reason)"
        case .badFile(let name, let reason): "\(name): \(reason)"
        case .refused(let conflicts): conflicts.map(\.description).joined(separator: "; ")
        case .locked(let waited): "another process has held the migration lock for \(waited)"
        case .failed(let file, let line, let error): "\(file), line \(line): \(error)"
        case .database(let error): "\(error)"
        }
    }
}
