public import Postgres

/// The state of a job. The raw values are those of the API and of the view `jobs`.
public enum JobStatus: String, CaseIterable, Sendable {
    /// Its `run_at` lies ahead: it was created so, or waits for a backoff or a snooze.
    /// Next: `queued` by promotion at `run_at`; `cancelled` by a person.
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
    /// Final.
    case succeeded
    /// Out of attempts, or failed for good: the dead letter. Next: `queued`, by a person.
    case failed
    /// Cancelled by a person. Next: `queued`, by a person.
    case cancelled

    /// Whether the job has ended, and only a person can retry it.
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
