public import Postgres

/// The statements on pools, one file for each verb. A pool assigns long-lived workloads to an ordered set of workers.
///
/// Three parties use the tables, and communicate only through them:
/// - People configure the workloads of a pool (`ConfigurePool`).
/// - A rebalancing process, normally the reaper, assigns each workload to an ordinal, its *owner* (`RebalancePools`).
/// - Members join with an ordinal (`JoinPool`) and acquire leases (`AcquireWorkloads`): each workload has at most one
///   *holder*, one incarnation of a worker, under a token that only increases.
///
/// **One holder at a time.** Only the holder runs a workload. A lease is granted to the owner alone, and only while
/// there is no other holder: it has released the lease after its processes were gone (`ReleaseWorkloads`), or the lease
/// has expired. Each write of a holder compares the token in the statement, so a holder that lost its lease changes
/// nothing.
///
/// **Clocks.** Every instant in the tables is PostgreSQL's `clock_timestamp()`, and only PostgreSQL decides whether a
/// lease or a membership has expired. A holder kills its processes by its own monotonic clock, before PostgreSQL's can
/// have reached the end of the lease (`LeaseClock` of the worker).
///
/// **Failures.** A dead member is found by the end of its membership. A dead rebalancing process leaves the assignment
/// as it is, and any other one continues: each locks the row of the pool. A lost notification delays a change until the
/// next poll. A lost response to an acquisition is found by the next renewal (`MembershipRenewal.Entry.heldToken`).
public struct PoolStore: Sendable {
    let database: ConnectionPool

    /// - Parameter pool: connections with the profile `.hot` for members, otherwise `.general`.
    public init(pool: ConnectionPool) {
        database = pool
    }

    /// The notification channel for changes; the payload is the name of the pool. Notifications are part of the
    /// transaction of the change. Pools change rarely, so the lock that NOTIFY holds until the commit does not matter.
    public static func channel(schema: String) -> String { "\(schema)_pool" }

    static let notify = Statement<String>("notify_pool", "SELECT pg_notify(current_schema() || '_pool', $1)")
}
