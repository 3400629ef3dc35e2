internal import Pools
internal import Postgres
internal import Service
internal import Telemetry

/// Assigns the workloads of pools to their members, when members or workloads have been added or removed.
///
/// While there is a pool it runs several times a second, so that a released workload soon has another owner. A run
/// without changes reads a few rows and locks nothing.
struct PoolRebalancer: PeriodicTask {
    let name = "rebalance pools"
    /// While there is no pool.
    static let interval = Duration.seconds(1)
    static let busyInterval = Duration.milliseconds(250)
    static let pauseMin = Duration.milliseconds(100)

    let pools: PoolStore
    let logger: Logger

    struct Report: TaskReport {
        var moved = 0
        var removed = 0
        var dueIn: Duration?

        var isNotable: Bool { moved > 0 || removed > 0 }
        var message: String { "pools were rebalanced" }
        var fields: LogFields { ["moved": .integer(moved), "pools_removed": .integer(removed)] }
    }

    func runOnce() async throws(PostgresError) -> Report {
        let (changes, count) = try await pools.rebalance()
        var report = Report(dueIn: count > 0 ? Self.busyInterval : nil)
        for change in changes {
            report.moved += change.moved
            report.removed += change.isDeleted ? 1 : 0
            if change.moved > 0 { log(change) }
        }
        return report
    }

    private func log(_ change: PoolChange) {
        logger.info(
            "workloads of a pool have new owners",
            [
                "pool": .string(change.pool), "pool_version": .integer(change.version),
                "moved": .integer(change.moved), "members": .integer(change.sharing?.count ?? 0),
            ])
    }
}
