public import Postgres
public import Telemetry

/// Work that is repeated. `runOnce` does what is due and returns what it did. It neither waits nor repeats itself: a
/// `Ticker` decides when it runs again.
///
/// Any number of processes may run the same task at once, and each may be killed at any instant. State that a task
/// keeps between runs only saves work, and each statement is complete in itself.
public protocol PeriodicTask: Sendable {
    associatedtype Report: TaskReport
    associatedtype Failure: Error = PostgresError

    /// The field `task` of its log lines.
    var name: String { get }
    /// The log line of a failed run. An outage of PostgreSQL has its own (`Reachability`).
    var failureMessage: String { get }
    var failureLevel: LogLevel { get }

    mutating func runOnce() async throws(Failure) -> Report
}

extension PeriodicTask {
    public var failureMessage: String { "the run failed; retrying" }
    public var failureLevel: LogLevel { .error }
}

/// What one run did.
public protocol TaskReport: Sendable {
    /// Whether the run deserves a log line.
    var isNotable: Bool { get }
    var message: String { get }
    var fields: LogFields { get }
    /// The pause before the next run, if shorter than the interval. Zero: more work was due than one run does.
    var dueIn: Duration? { get }
}

extension TaskReport {
    public var dueIn: Duration? { nil }
}

/// The report of a task that logs by itself, or nothing.
public struct NoReport: TaskReport {
    public init() {}

    public var isNotable: Bool { false }
    public var message: String { "" }
    public var fields: LogFields { [:] }
}
