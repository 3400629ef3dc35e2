internal import EventLoop
internal import Pools
internal import Postgres
internal import Telemetry

/// Shares the workloads of pools out among their members, when members or workloads have come or gone.
///
/// While there is a pool it looks several times a second, so that what a member gives back is soon another's. A look
/// reads a few rows and locks nothing.
struct PoolRebalancer: PeriodicTask {
    static let name = "balance pools"
    /// While there is no pool.
    static let interval = Duration.seconds(1)
    static let busyInterval = Duration.milliseconds(250)
    static let pauseMin = Duration.milliseconds(100)

    let pools: PoolStore
    let logger: Logger

    struct Report: TaskReport {
        var moved = 0
        var gone = 0
        var dueIn: Duration?

        var isNotable: Bool { moved > 0 || gone > 0 }
        var message: String { "pools were balanced" }
        var fields: LogFields { ["moved": .integer(moved), "pools_gone": .integer(gone)] }
    }

    func runOnce() async throws(PostgresError) -> Report {
        let (changes, count) = try await pools.balance()
        var report = Report(dueIn: count > 0 ? Self.busyInterval : nil)
        for change in changes {
            report.moved += change.moved
            report.gone += change.isGone ? 1 : 0
            if change.moved > 0 { tell(change) }
        }
        return report
    }

    private func tell(_ change: PoolChange) {
        logger.info(
            "workloads of a pool have other owners",
            [
                "pool": .string(change.pool), "pool_version": .integer(change.version),
                "moved": .integer(change.moved), "members": .integer(change.sharing?.count ?? 0),
            ])
    }
}
