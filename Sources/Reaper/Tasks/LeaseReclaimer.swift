internal import Jobs
internal import Postgres
internal import Service
internal import Telemetry
internal import Values

/// Reclaims the expired leases of workers that could not reach PostgreSQL for too long, and the leases of dead workers.
///
/// It runs when the next lease expires, when a worker is found dead (`DeadWorkerFinder`), and at its interval in any
/// case. If that lease is renewed in time the run finds nothing. This is rare, because leases are renewed at a third of
/// their duration.
struct LeaseReclaimer: PeriodicTask {
    let name = "reclaim leases"
    /// Each run reads the whole table of leases.
    static let pauseMin = Duration.seconds(1)
    /// Leases of one statement, which holds locks for some milliseconds.
    static let batchMax: Int32 = 500
    /// Statements of one run, so that a report comes now and then.
    static let batchesMax = 20

    let store: JobStore
    let logger: Logger

    struct Report: TaskReport {
        var scheduled = 0
        var failed = 0
        var cancelled = 0
        var dueIn: Duration?

        var reclaimed: Int { scheduled + failed + cancelled }
        var isNotable: Bool { reclaimed > 0 }
        var message: String { "leases were reclaimed" }
        var fields: LogFields {
            [
                "reclaimed": .integer(reclaimed), "scheduled": .integer(scheduled), "failed": .integer(failed),
                "cancelled": .integer(cancelled),
            ]
        }
    }

    func runOnce() async throws(PostgresError) -> Report {
        var report = Report()
        for _ in 0..<Self.batchesMax where !Task.isCancelled {
            let batch = try await store.reclaimExpired(atMost: Self.batchMax)
            note(batch.leases, in: &report)
            report.dueIn = batch.nextExpiry.map { max(.zero, $0 - batch.moment) }
            if batch.leases.count < Self.batchMax { break }
        }
        for _ in 0..<Self.batchesMax where !Task.isCancelled {
            let leases = try await store.reclaimLeasesOfDeadWorkers(atMost: Self.batchMax)
            note(leases, in: &report)
            if leases.count < Self.batchMax { break }
        }
        return report
    }

    private func note(_ leases: [ReclaimedLease], in report: inout Report) {
        for lease in leases {
            report.count(lease)
            log(lease)
        }
    }

    private func log(_ lease: ReclaimedLease) {
        logger.warning(
            "a lease was reclaimed",
            [
                "job_id": .text(lease.jobID), "type": .string(lease.type), "queue": .string(lease.queue),
                "attempt": .integer(lease.attempt), "worker_id": .integer(lease.workerID),
                "lease_token": .integer(lease.token), "expires_at": .text(lease.expiresAt),
                "job_status": .string(lease.fate.rawValue),
            ])
    }
}

extension LeaseReclaimer.Report {
    fileprivate mutating func count(_ lease: ReclaimedLease) {
        switch lease.fate {
        case .scheduled: scheduled += 1
        case .failed: failed += 1
        case .cancelled: cancelled += 1
        }
    }
}
