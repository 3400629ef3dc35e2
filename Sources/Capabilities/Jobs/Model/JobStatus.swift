public import Postgres

/// The state of a job. The raw values are those of the API and of the view `jobs`.
public enum JobStatus: String, CaseIterable, Sendable {
    /// Its `run_at` lies ahead: it was created so, or waits out a backoff or a snooze.
    /// Next: `queued` by promotion when the time has come; `cancelled` by a person.
    case scheduled
    /// May be leased now. Next: `running` by a worker; `cancelled` by a person.
    case queued
    /// Leased. Next, by the worker with the current token: `succeeded`, `failed`, `scheduled` or `queued` (retry,
    /// snooze, release); by the reaper when the lease has expired: `scheduled`, `queued` or `failed`; by a person:
    /// `ending`.
    case running
    /// Asked to stop while it ran; the worker has not confirmed. Next: `cancelled`, `succeeded` or `failed`, by the
    /// worker with the current token, or by the watchdog.
    case ending
    /// Done. The end.
    case succeeded
    /// Out of attempts, or failed for good: the dead letter. Next: `queued`, by a person.
    case failed
    /// Given up by a person before it was done. Next: `queued`, by a person.
    case cancelled

    /// Nothing runs any more and nothing will, unless a person retries it.
    public var isTerminal: Bool {
        switch self {
        case .succeeded, .failed, .cancelled: true
        case .scheduled, .queued, .running, .ending: false
        }
    }
}

extension JobStatus: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        self = try columns.next(parsing: Self.init(rawValue:))
    }
}
