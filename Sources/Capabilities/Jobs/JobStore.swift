internal import EventLoop
public import Postgres
internal import Telemetry

/// Every statement on jobs, for one loop: one file a verb, each with its statement and the reason for its shape.
///
/// Where a list of ids meets a table the condition reads `t.id = ANY (ARRAY[g.id])` and not `t.id = g.id`. It means the
/// same, but offers the planner no order to walk the whole table by, which it would do for each id after a VACUUM has
/// seen the table empty. What is left is a visit of the index for each id, whatever the statistics say.
///
/// Two pools, because their sessions differ: the hot statements count on settings (`SessionProfile.hot`) that would harm
/// the others, and a list that reads much must not stand in front of a lease in the same pipeline.
public final class JobStore: Sendable {
    let hot: ConnectionPool
    let general: ConnectionPool
    public let subqueues: SubqueueDirectory
    let notifier: ReadyNotifier?
    let cancelNotifier: CancelNotifier?
    let identifiers: JobIdentifiers
    let inserts: GroupCommit<InsertJobs.Item, InsertJobs.Answer>.Submitter

    /// - Parameters:
    ///   - hot: a pool with the profile `.hot`.
    ///   - general: a pool of the same loop with the profile `.general`.
    ///   - subqueues: shared by all stores of the process.
    ///   - inserts: shared by all stores of the process that create jobs one by one.
    ///   - notifier: of the same loop; nil: workers are left to poll for what is ready.
    ///   - cancelNotifier: of the same loop; nil: workers are left to poll for what they are to stop.
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
        let insert = InsertJobs(pool: hot, clock: subqueues.clock, notifier: notifier)
        self.inserts = inserts.group.submitter(on: hot.loop) { items in await insert.commit(items) }
    }
}
