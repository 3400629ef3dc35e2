/// An error in the communication with PostgreSQL.
///
/// No case contains the text of a statement, a parameter or a password.
public enum PostgresError: Error, Sendable {
    /// No connection could be opened. Nothing was sent.
    case connectionFailed(reason: String)

    /// The connection was lost. With `outcomeUnknown` the statement was sent and may be committed: a statement that is
    /// not idempotent must not be repeated without a check. Otherwise it was not and will not be committed.
    case connectionLost(reason: String, outcomeUnknown: Bool)

    /// PostgreSQL rejected or aborted the statement. Nothing is committed.
    indirect case server(ServerError)

    /// The statement got no response by its deadline. With `outcomeUnknown` it may be committed.
    case deadlineExceeded(outcomeUnknown: Bool)

    /// No connection of the pool became free, or could be opened, in time. Nothing was sent. `lastFailure` is the
    /// reason why the last connection attempt failed; nil if it did not.
    case poolExhausted(waited: Duration, lastFailure: String?)

    /// The task was cancelled while it waited for a connection. Nothing was sent.
    case cancelled

    /// The connection or pool was closed by this process. Nothing was sent.
    case closed

    /// A column of a result has another type than requested, is NULL, or does not exist.
    case unexpectedValue(column: String, reason: String)

    /// A programming error in the use of this module, reported without damage.
    case misuse(String)

    /// Whether the statement may be committed although there was no response.
    public var isOutcomeUnknown: Bool {
        switch self {
        case .connectionLost(_, let outcomeUnknown), .deadlineExceeded(let outcomeUnknown): outcomeUnknown
        default: false
        }
    }

    /// The SQLSTATE of a server error; nil for other cases.
    public var sqlState: SQLState? {
        if case .server(let error) = self { error.sqlState } else { nil }
    }

    /// Whether PostgreSQL is unreachable or out of resources. A service responds with 503.
    public var isUnavailable: Bool {
        switch self {
        case .connectionFailed, .connectionLost, .deadlineExceeded, .poolExhausted, .closed: true
        case .server(let error): error.sqlState.isUnavailability
        case .cancelled, .unexpectedValue, .misuse: false
        }
    }
}

/// An error that can stand for one of PostgreSQL: what the body of a transaction may throw.
public protocol PostgresErrorConvertible: Error {
    init(_ error: PostgresError)
}

extension PostgresError: PostgresErrorConvertible {
    public init(_ error: PostgresError) { self = error }
}

extension PostgresError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .connectionFailed(let reason):
            "cannot connect to PostgreSQL: \(reason)"
        case .connectionLost(let reason, let outcomeUnknown):
            "connection to PostgreSQL lost: \(reason)" + (outcomeUnknown ? " (outcome unknown)" : "")
        case .server(let error):
            error.description
        case .deadlineExceeded(let outcomeUnknown):
            "PostgreSQL did not answer within the deadline" + (outcomeUnknown ? " (outcome unknown)" : "")
        case .poolExhausted(let waited, let lastFailure):
            "no connection to PostgreSQL within \(waited)" + (lastFailure.map { ": \($0)" } ?? "")
        case .cancelled:
            "cancelled while waiting for a connection to PostgreSQL"
        case .closed:
            "the connection to PostgreSQL was closed by this process"
        case .unexpectedValue(let column, let reason):
            "column \(column) of a result \(reason)"
        case .misuse(let what):
            what
        }
    }
}

/// An error reported by PostgreSQL (`PQresultErrorField`; protocol chapter "Error and Notice Message Fields").
public struct ServerError: Error, Sendable, CustomStringConvertible {
    public let severity: String
    public let sqlState: SQLState
    /// The primary message.
    public let message: String
    /// May contain values of rows. For the log at most, never for a client.
    public let detail: String?
    public let hint: String?
    public let schema: String?
    public let table: String?
    public let column: String?
    public let constraint: String?
    /// Position in the statement, in characters from 1.
    public let position: Int?
    /// The function in the server's source that raised the error, such as `RevalidateCachedQuery`.
    public let sourceFunction: String?

    /// Whether the server ended the session with this error.
    public var isFatal: Bool { severity == "FATAL" || severity == "PANIC" }

    /// The error without its detail, which may contain values of rows.
    public var description: String {
        var text = "PostgreSQL \(severity) \(sqlState): \(message)"
        if let constraint { text += " (constraint \(constraint))" }
        if let hint { text += "; \(hint)" }
        return text
    }
}
