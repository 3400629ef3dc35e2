internal import HTTP
internal import Postgres

/// What a client hears when PostgreSQL did not do what was asked: never the words of PostgreSQL, which may quote a
/// statement or rows.
enum DatabaseProblems {
    /// A client that comes back later than this finds the pool connected again, if PostgreSQL is back.
    private static let retryAfterSeconds = 2

    /// Nil for what is our own fault: 500.
    ///
    /// - Parameter unknownOutcome: what may have happened although no answer came: "the job may have been created".
    static func problem(_ error: PostgresError, unknownOutcome: String = "it may have been done") -> Problem? {
        if error.isOutcomeUnknown {
            return .unavailable(
                "PostgreSQL did not confirm in time: \(unknownOutcome); look before you ask again",
                retryAfterSeconds: retryAfterSeconds
            ).with("outcome", .string("unknown"))
        }
        if error.sqlState?.category == "53" {
            return .unavailable(
                "PostgreSQL has run out of room: disk space, memory or connections; nothing was done",
                retryAfterSeconds: retryAfterSeconds)
        }
        if error.isUnavailable {
            return .unavailable(
                "PostgreSQL cannot be reached now; nothing was done", retryAfterSeconds: retryAfterSeconds)
        }
        guard let state = error.sqlState else { return nil }
        return problem(state)
    }

    private static func problem(_ state: SQLState) -> Problem? {
        switch state {
        case .queryCanceled, .lockNotAvailable:
            return .unavailable("PostgreSQL took too long; nothing was done", retryAfterSeconds: retryAfterSeconds)
        case .serializationFailure, .deadlockDetected:
            return .unavailable("PostgreSQL was too busy; nothing was done", retryAfterSeconds: retryAfterSeconds)
        case .undefinedTable, .undefinedSchema, .undefinedFunction, .undefinedColumn:
            return .unavailable(
                "the schema of the database is not the one of this release; jobqueue-api migrate brings it up to date",
                retryAfterSeconds: retryAfterSeconds)
        case .readOnlyTransaction:
            return .unavailable(
                "PostgreSQL accepts no writes now; nothing was done", retryAfterSeconds: retryAfterSeconds)
        default:
            // Data that the checks here have let through, and PostgreSQL did not.
            guard state.concernsData else { return nil }
            return Problem(.unprocessableContent, "PostgreSQL cannot store this (\(state.rawValue))")
        }
    }
}

extension SQLState {
    static let undefinedFunction: SQLState = "42883"
    static let undefinedColumn: SQLState = "42703"
}
