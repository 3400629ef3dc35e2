internal import Postgres
internal import Synchronization
internal import Telemetry
internal import Values

/// Whether PostgreSQL answers, as all tasks of the process see it together. An outage is one log line when it begins
/// and one when it ends, regardless of how many tasks notice it and how often.
public final class Reachability: Sendable {
    private struct Outage {
        var since: MonotonicInstant
        /// The tasks whose last run failed.
        var tasks: Set<String>
    }

    private let logger: Logger
    private let outage = Mutex<Outage?>(nil)

    init(logger: Logger) {
        self.logger = logger
    }

    /// Whether an error means that PostgreSQL cannot be reached. One slow statement does not.
    static func isOutage(_ error: PostgresError) -> Bool {
        if case .deadlineExceeded = error { return false }
        return error.isUnavailable
    }

    /// Whether an outage is going on.
    public var isInterrupted: Bool { outage.withLock { $0 != nil } }

    func failed(_ error: PostgresError, task: String, at now: MonotonicInstant) {
        let isFirst = outage.withLock { outage in
            defer { outage?.tasks.insert(task) }
            guard outage == nil else { return false }
            outage = Outage(since: now, tasks: [])
            return true
        }
        guard isFirst else { return }
        logger.warning("PostgreSQL cannot be reached; retrying", ["task": .string(task), "error": .error(error)])
    }

    func answered(task: String, at now: MonotonicInstant) {
        let began = outage.withLock { outage -> MonotonicInstant? in
            guard outage?.tasks.remove(task) != nil, outage?.tasks.isEmpty == true else { return nil }
            defer { outage = nil }
            return outage?.since
        }
        guard let began else { return }
        logger.info("PostgreSQL answers again", ["outage_ms": .milliseconds(now - began)])
    }
}
