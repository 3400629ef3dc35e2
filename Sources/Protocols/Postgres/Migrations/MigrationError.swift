/// Why a schema could not be migrated or compared with its migrations.
public enum MigrationError: PostgresErrorConvertible, Sendable {
    /// A file or directory cannot be read.
    case unreadable(String, reason: String)
    /// A file is not a valid migration.
    case badFile(String, reason: String)
    /// The files contradict the migrations applied to the database. Nothing was changed.
    case refused([MigrationPlan.Conflict])
    /// The database cannot hold what jobs contain. Nothing was changed.
    case encoding(String)
    /// Another process held the migration lock for longer than `Migrator.Limits.lockWait`.
    case locked(waited: Duration)
    /// A statement failed. The file was rolled back, unless it is a `-- no-transaction` file.
    case failed(file: String, line: Int, error: PostgresError)
    /// An error outside of the files' statements.
    case database(PostgresError)

    public init(_ error: PostgresError) { self = .database(error) }
}

extension MigrationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "\(path): \(reason)"
        case .badFile(let name, let reason): "\(name): \(reason)"
        case .refused(let conflicts): conflicts.map(\.description).joined(separator: "; ")
        case .encoding(let name):
            "the database has the encoding \(name); jobs contain any Unicode text, so UTF8 is needed (CREATE DATABASE "
                + "... ENCODING 'UTF8' TEMPLATE template0)"
        case .locked(let waited): "another process has held the migration lock for \(waited)"
        case .failed(let file, let line, let error): "\(file), line \(line): \(error)"
        case .database(let error): "\(error)"
        }
    }
}
