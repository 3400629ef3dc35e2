internal import EventLoop
public import Postgres

/// Every statement on jobs, for one loop: one file for each verb, with its statement and the reason for its shape.
///
/// Where a list of ids is joined with a table, the condition is `t.id = ANY (ARRAY[g.id])` and not `t.id = g.id`. It
/// means the same, but offers the planner no order in which to read the whole table, which it would do for each id
/// after a VACUUM has seen the table empty. So each id is looked up in the index, whatever the statistics say.
///
/// **Order of locks.** A statement that locks rows of several tables does so in this order, within a table by key:
///
/// 1. `idempotency_key`, by key
/// 2. `unique_key_holder`, by type and key
/// 3. `metric_name`, `queue`, then `type`, by name; then `lease_gate`; then `subqueue`, by id
/// 4. the row of the job itself: `ready`, `scheduled`, `lease` or `outcome`, by id
/// 5. `attempt_error`, `progress`, `event`, by id
/// 6. `deregistered_counter` and `transition_total`, by key
///
/// SKIP LOCKED needs no order, because it waits for nothing. Transactions of others (`enqueue` with several keys)
/// follow no order, so deadlocks remain possible: `ConnectionPool` repeats what PostgreSQL aborts. `LockWait` has the
/// rule for waits (decision 14).
///
/// Two connection pools, because their sessions differ: the hot statements depend on settings (`SessionProfile.hot`)
/// that would harm the others, and a list that reads much must not delay a lease in the same pipeline.
public final class JobStore: Sendable {
    let hot: ConnectionPool
    let general: ConnectionPool
    public let subqueues: SubqueueDirectory
    let notifier: ReadyNotifier?
    let cancelNotifier: CancelNotifier?
    let identifiers: JobIdentifiers
    let inserts: InsertBatcher.Submitter

    /// - Parameters:
    ///   - hot: a pool with the profile `.hot`.
    ///   - general: a pool of the same loop with the profile `.general`.
    ///   - subqueues: shared by all stores of the process.
    ///   - inserts: shared by all stores of the process that create jobs one by one.
    ///   - notifier: of the same loop; nil: workers poll for ready jobs.
    ///   - cancelNotifier: of the same loop; nil: workers poll for cancel requests.
    public init(
        hot: ConnectionPool, general: ConnectionPool, subqueues: SubqueueDirectory,
        inserts: InsertBatcher = InsertBatcher(),
        notifier: ReadyNotifier? = nil, cancelNotifier: CancelNotifier? = nil
    ) {
        self.hot = hot
        self.general = general
        self.subqueues = subqueues
        self.notifier = notifier
        self.cancelNotifier = cancelNotifier
        identifiers = JobIdentifiers(clock: subqueues.clock)
        self.inserts = inserts.submitter(InsertJobs(pool: hot, subqueues: subqueues, notifier: notifier))
    }
}
