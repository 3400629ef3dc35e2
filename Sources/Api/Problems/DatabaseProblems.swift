internal import HTTP
internal import Postgres

/// The responses to errors of PostgreSQL. They never contain the message of PostgreSQL, which may quote a statement or
/// rows.
enum DatabaseProblems {
    /// Enough for the connections to be open again, once PostgreSQL is back.
    private static let retryAfterSeconds = 2

    /// nil for an error that is a bug: 500.
    ///
    /// - Parameter unknownOutcome: what may have happened if the commit was not confirmed:
    ///   `the job may have been created`; nil for a read, of which there is nothing to know.
    static func problem(_ error: PostgresError, unknownOutcome: String? = "it may have been done") -> Problem? {
        if error.isOutcomeUnknown {
            guard let unknownOutcome else {
                return .unavailable("PostgreSQL did not answer in time", retryAfterSeconds: retryAfterSeconds)
            }
            return .unavailable(
                "PostgreSQL did not confirm the commit in time: \(unknownOutcome); check before sending it again",
                retryAfterSeconds: retryAfterSeconds
            ).with("outcome", .string("unknown"))
        }
        if error.sqlState?.category == "53" {
            return .unavailable(
                "PostgreSQL has run out of disk space, memory or connections; nothing was done",
                retryAfterSeconds: retryAfterSeconds)
        }
        if error.isUnavailable {
            return .unavailable(
                "PostgreSQL cannot be reached; nothing was done", retryAfterSeconds: retryAfterSeconds)
        }
        guard let state = error.sqlState else { return nil }
        return problem(state)
    }

    /// Another transaction has held a lock for longer than a request waits.
    /// - Parameter what: what the transaction has locked: `the unique_key of the job`.
    static func locked(_ what: String) -> Problem {
        .unavailable(
            "an open transaction of another client has locked \(what); nothing was done",
            retryAfterSeconds: retryAfterSeconds)
    }

    private static func problem(_ state: SQLState) -> Problem? {
        switch state {
        case .queryCanceled:
            return .unavailable("PostgreSQL took too long; nothing was done", retryAfterSeconds: retryAfterSeconds)
        case .lockNotAvailable:
            return locked("what this request changes")
        case .serializationFailure, .deadlockDetected:
            return .unavailable(
                "the transaction conflicted with others; nothing was done", retryAfterSeconds: retryAfterSeconds)
        case .undefinedTable, .undefinedSchema, .undefinedFunction, .undefinedColumn:
            return .unavailable(
                "the schema of the database is not that of this release; run jobqueue-api migrate",
                retryAfterSeconds: retryAfterSeconds)
        case .readOnlyTransaction:
            return .unavailable(
                "PostgreSQL accepts no writes; nothing was done", retryAfterSeconds: retryAfterSeconds)
        default:
            // Data that the checks of the api accepted and PostgreSQL did not.
            guard state.concernsData else { return nil }
            return Problem(.unprocessableContent, "PostgreSQL cannot store the data (SQLSTATE \(state.rawValue))")
        }
    }
}

extension SQLState {
    static let undefinedFunction: SQLState = "42883"
    static let undefinedColumn: SQLState = "42703"
}
