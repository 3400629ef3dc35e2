internal import Postgres
internal import Telemetry

/// Work that is done again and again. Asked once it does what is due, and says what it did; it neither waits nor repeats
/// itself. When it is asked again is the business of its `Ticker`.
///
/// Any number of processes do the same work at once, and may be killed at any instant: whatever a task remembers from
/// one run to the next is a hint that spares work, and every statement is whole in itself.
protocol PeriodicTask: Sendable {
    associatedtype Report: TaskReport

    /// What the log calls it.
    static var name: String { get }

    mutating func runOnce() async throws(PostgresError) -> Report
}

/// What one run has done.
protocol TaskReport: Sendable {
    /// Worth a line of the log.
    var isNotable: Bool { get }
    var message: String { get }
    var fields: LogFields { get }
    /// How soon the task should run again, if sooner than at its interval; zero: there was more than one run does.
    var dueIn: Duration? { get }
}

extension TaskReport {
    var dueIn: Duration? { nil }
}
