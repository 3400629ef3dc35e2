public import Postgres

/// How long a job waits after a failed attempt before it may run again. PostgreSQL computes the delay (the function
/// `retry_delay`), with a jitter of +-10 %, so that jobs which failed together do not come back together.
public enum Backoff: Hashable, Sendable {
    /// `attempt^4` seconds, at most 24 hours: 1 s, 16 s, 81 s, 256 s, ... a day from the 18th attempt on.
    case standard
    /// `base_seconds * 2^(attempt - 1)`, at most `max_seconds`.
    case exponential(baseSeconds: Double, maxSeconds: Double)
    /// `base_seconds` after every attempt.
    case fixed(baseSeconds: Double)
    /// At once.
    case none
}

// MARK: - Columns

extension Backoff {
    /// PostgreSQL's `backoff_kind`; nil for the standard one.
    var kindName: String? {
        switch self {
        case .standard: nil
        case .exponential: "exponential"
        case .fixed: "fixed"
        case .none: "none"
        }
    }

    var baseSeconds: Double? {
        switch self {
        case .exponential(let base, _), .fixed(let base): base
        case .standard, .none: nil
        }
    }

    var maxSeconds: Double? {
        if case .exponential(_, let most) = self { most } else { nil }
    }
}

extension Backoff: RowDecodable {
    /// Three columns: kind, base and maximum.
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        let kindName: String? = try columns.next()
        let baseSeconds: Double? = try columns.next()
        let maxSeconds: Double? = try columns.next()
        switch kindName {
        case "exponential": self = .exponential(baseSeconds: baseSeconds ?? 1, maxSeconds: maxSeconds ?? 86_400)
        case "fixed": self = .fixed(baseSeconds: baseSeconds ?? 1)
        case "none": self = .none
        default: self = .standard
        }
    }
}
