public import JSON
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

// MARK: - JSON

extension Backoff {
    /// Appends the form that `read` accepts.
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        switch self {
        case .standard:
            writer.member("kind", "standard")
        case .exponential(let base, let most):
            writer.member("kind", "exponential")
            writer.member("base_seconds", base)
            writer.member("max_seconds", most)
        case .fixed(let base):
            writer.member("kind", "fixed")
            writer.member("base_seconds", base)
        case .none:
            writer.member("kind", "none")
        }
        writer.endObject()
    }

    /// Reads `{"kind":"exponential","base_seconds":1,"max_seconds":60}`, `{"kind":"fixed","base_seconds":5}`,
    /// `{"kind":"none"}` or `{"kind":"standard"}`. nil when it added to `errors`.
    static func read(
        _ reader: inout JSONReader, at pointer: JSONPointer, into errors: inout InputErrors
    ) throws(JSONError) -> Backoff? {
        var kind: String?
        var base: Double?
        var most: Double?
        let before = errors.count
        try errors.readObject(&reader, at: pointer) { reader, key, errors throws(JSONError) in
            let longest = JobLimits.backoffSecondsMax
            switch key {
            case "kind":
                kind = try errors.string(&reader, at: pointer.appending("kind"))
            case "base_seconds":
                base = try errors.seconds(&reader, at: pointer.appending("base_seconds"), to: longest)
            case "max_seconds":
                most = try errors.seconds(&reader, at: pointer.appending("max_seconds"), to: longest)
            default: return false
            }
            return true
        }
        guard errors.count == before else { return nil }
        switch (kind, base, most) {
        case ("standard", nil, nil): return .standard
        case ("none", nil, nil): return Backoff.none
        case ("fixed", let base?, nil): return .fixed(baseSeconds: base)
        case ("exponential", let base?, let most?): return .exponential(baseSeconds: base, maxSeconds: most)
        default:
            errors.add(
                pointer,
                "must be {\"kind\":\"exponential\",\"base_seconds\":...,\"max_seconds\":...}, "
                    + "{\"kind\":\"fixed\",\"base_seconds\":...}, {\"kind\":\"none\"} or {\"kind\":\"standard\"}")
            return nil
        }
    }
}
