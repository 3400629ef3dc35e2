/// What can go wrong between this process and PostgreSQL.
///
/// No case holds the text of a statement, a parameter or a password.
public enum PostgresError: Error, Sendable {
    /// No connection could be made. Nothing was sent.
    case connectionFailed(reason: String)

    /// The connection broke. With `outcomeUnknown` the statement was sent and its commit may have happened:
    /// look before repeating what is not idempotent. Without it, nothing of it was or will be committed.
    case connectionLost(reason: String, outcomeUnknown: Bool)

    /// PostgreSQL refused or aborted the statement; nothing of it is committed.
    indirect case server(ServerError)

    /// The statement was not answered within its deadline. With `outcomeUnknown` it had been sent.
    case deadlineExceeded(outcomeUnknown: Bool)

    /// No connection of the pool became free, or none could be made, in time. Nothing was sent.
    /// `lastFailure` is why the latest attempt to connect failed, if it did.
    case poolExhausted(waited: Duration, lastFailure: String?)

    /// The waiting task was cancelled before anything was sent.
    case cancelled

    /// The connection or pool was closed by its owner before anything was sent.
    case closed

    /// A column of a result is not what the caller reads: another type, NULL, a value that is none, or not read at all.
    case unexpectedValue(column: String, reason: String)

    /// This module was called in a way that cannot work: a programmer's error, answered without harm.
    case misuse(String)

    /// True when the statement may have been committed although no answer came.
    public var isOutcomeUnknown: Bool {
        switch self {
        case .connectionLost(_, let outcomeUnknown), .deadlineExceeded(let outcomeUnknown): outcomeUnknown
        default: false
        }
    }

    /// The code of the server's error; nil for every other case.
    public var sqlState: SQLState? {
        if case .server(let error) = self { error.sqlState } else { nil }
    }

    /// True when PostgreSQL cannot be reached or has no room: what a service answers with 503.
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

/// An error that PostgreSQL reported (`PQresultErrorField`; protocol chapter "Error and Notice Message Fields").
public struct ServerError: Error, Sendable, CustomStringConvertible {
    public let severity: String
    public let sqlState: SQLState
    /// The primary message, for people.
    public let message: String
    /// May quote values of rows: for the log at most, never for a client.
    public let detail: String?
    public let hint: String?
    public let schema: String?
    public let table: String?
    public let column: String?
    public let constraint: String?
    /// Where in the statement, counted in characters from 1.
    public let position: Int?
    /// The function of the server's source that raised it, such as `RevalidateCachedQuery`.
    public let sourceFunction: String?

    /// True when the server ended the session with this error.
    public var isFatal: Bool { severity == "FATAL" || severity == "PANIC" }

    /// Without the detail, which may quote values of rows.
    public var description: String {
        var text = "PostgreSQL \(severity) \(sqlState): \(message)"
        if let constraint { text += " (constraint \(constraint))" }
        if let hint { text += "; \(hint)" }
        return text
    }
}
