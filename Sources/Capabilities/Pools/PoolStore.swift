public import Postgres

/// Pools: long-lived workloads, shared out among an ordered set of workers. Every statement on them, one file a verb.
///
/// Three parties meet in the tables, and nowhere else. People say what there is to run (`ConfigurePool`). Whoever balances
/// says whose it is: a workload belongs to an ordinal (`RebalancePools`). And members say what they have (`JoinPool`,
/// `AcquireWorkloads`): a workload is held by one incarnation of a worker, under a lease with a token that only grows.
///
/// **Never two at once.** Only its holder runs a workload. A lease is given to the owner alone, and only while nobody
/// else holds one: the holder has given it back after the processes were gone (`ReleaseWorkloads`), or it has expired
/// by PostgreSQL's clock, before which the holder has killed them by its own. Everything that a holder writes carries the
/// token inside the statement; who has lost his lease changes nothing.
///
/// **Nothing waits for anybody.** Any number of processes balance at once, under the lock of the pool's row. A member that
/// dies is found by the end of its lease. NOTIFY tells of changes, and looking now and then finds those that it missed.
public struct PoolStore: Sendable {
    let database: ConnectionPool

    /// - Parameter pool: for members with the profile `.hot`, else `.general`.
    public init(pool: ConnectionPool) {
        database = pool
    }

    /// What is told when something was changed. The payload is the name of the pool. Pools change rarely, so the lock that
    /// NOTIFY takes until the commit harms nobody, and it goes with the change.
    public static func channel(schema: String) -> String { "\(schema)_pool" }

    static let notify = Statement("notify_pool", "SELECT pg_notify(current_schema() || '_pool', $1)", [.text])

    /// `body` in a transaction, with its errors as they are.
    func transaction<Value>(
        _ body: (Transaction) async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        do {
            return try await database.transaction { transaction in try await body(transaction) }
        } catch let error as PostgresError {
            throw error
        } catch {
            throw .misuse("\(error)")
        }
    }
}
