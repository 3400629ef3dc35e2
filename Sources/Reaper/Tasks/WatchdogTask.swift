internal import Jobs
internal import Postgres
internal import Service
internal import Telemetry

/// Ends jobs that were cancelled and did not stop for a long time. Their worker is alive and renews their leases, or
/// they would have been reclaimed, but it cannot stop them.
struct WatchdogTask: PeriodicTask {
    let name = "end stuck jobs"
    /// While there are more jobs than one run may end.
    static let pauseMin = Duration.seconds(1)

    let store: JobStore
    let order: WatchdogOrder
    let logger: Logger

    struct Report: TaskReport {
        let action: WatchdogOrder.Action
        /// Oldest first.
        let jobs: [StuckJob]
        var dueIn: Duration?

        var isNotable: Bool { !jobs.isEmpty }
        var message: String { "stuck jobs were ended" }
        var fields: LogFields {
            [
                "ended": .integer(jobs.count), "action": .string(action.rawValue),
                "teardowns": .integer(jobs.count { $0.teardownID != nil }),
            ]
        }
    }

    func runOnce() async throws(PostgresError) -> Report {
        let jobs = try await store.endStuck(order)
        for job in jobs { logger.warning("a job that did not stop was ended", job.fields(order.action)) }
        let isMore = jobs.count == Int(order.jobsMax)
        return Report(action: order.action, jobs: jobs, dueIn: isMore ? .zero : nil)
    }
}

extension StuckJob {
    fileprivate func fields(_ action: WatchdogOrder.Action) -> LogFields {
        var fields: LogFields = [
            "job_id": .text(id), "type": .string(type), "queue": .string(queue), "attempt": .integer(attempt),
            "worker_id": .integer(workerID), "lease_token": .integer(token), "ending_since": .text(endingSince),
            "action": .string(action.rawValue),
        ]
        if let teardownID { fields.set(.init("teardown_id", .text(teardownID))) }
        return fields
    }
}
