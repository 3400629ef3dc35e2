internal import JSON
public import Postgres
public import Values

/// Which jobs the watchdog considers stuck, and how it ends them.
public struct WatchdogOrder: Hashable, Sendable {
    public enum Action: String, CaseIterable, Sendable {
        /// The jobs become `cancelled`, and their teardowns are created.
        case force
        /// The jobs become `failed`.
        case fail
    }

    /// Minimum time in the status `ending`, in minutes.
    public var olderThanMinutes: Int32
    /// Maximum number of jobs in one run.
    public var jobsMax: Int32
    public var action: Action

    public init(olderThanMinutes: Int32, jobsMax: Int32, action: Action) {
        self.olderThanMinutes = olderThanMinutes
        self.jobsMax = jobsMax
        self.action = action
    }
}

/// A job that was asked to stop, and has not stopped for a long time.
public struct StuckJob: Sendable {
    public let id: UUID
    public let token: Int64
    public let queue: String
    public let type: String
    public let attempt: Int16
    public let workerID: Int64
    /// When it was asked.
    public let endingSince: WallInstant
    /// The JSON text of its teardown; nil: it has none.
    public let teardown: [UInt8]?
    let traceParent: String?
    /// The job that was created from the teardown; nil if none was created.
    public internal(set) var teardownID: UUID?
}

extension JobStore {
    /// The oldest first. By the index that holds only jobs which are to stop.
    private static let stuckJobs: SQLFragment = """
        SELECT l.id, l.token, q.name, t.name, l.attempt, l.worker_id, l.cancel_requested_at, j.teardown, j.trace_parent
        FROM lease l
        JOIN job j ON j.id = l.id
        JOIN subqueue b ON b.id = l.subqueue_id
        JOIN queue q ON q.id = b.queue_id
        JOIN type t ON t.id = b.type_id
        WHERE l.cancel_requested_at <= clock_timestamp() - make_interval(mins => $1)
        ORDER BY l.cancel_requested_at, l.id LIMIT $2
        """

    /// Minimum time in minutes, and maximum number.
    private static let listStuck = Statement<Int32, Int32>("list_stuck_jobs", stuckJobs, isIdempotent: true)

    /// No lock is waited for: a job whose end is being recorded is not stuck.
    private static let lockStuck = Statement<Int32, Int32>(
        "lock_stuck_jobs", "\(sql: stuckJobs) FOR UPDATE OF l SKIP LOCKED")

    /// The leases are deleted, so that later writes of the workers match nothing. The counter is stored with those of
    /// deregistered workers, since no heartbeat carries it.
    private static let endStuckStatement = Statement<Batch<StuckColumns>, String>(
        "end_stuck_jobs",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        ended AS MATERIALIZED (
            DELETE FROM lease l
            USING \(sql: StuckColumns.columns.unnest())
            WHERE l.id = ANY (ARRAY[g.id]) AND l.token = g.token
            RETURNING l.*, (SELECT at FROM moment) AS at),
        decided AS MATERIALIZED (
            SELECT *, CASE $3 WHEN 'force' THEN 'cancelled_running' ELSE 'abandoned' END::job_transition AS transition,
                   'asked to stop, and had not after ' || floor(extract(epoch FROM at - cancel_requested_at)) || ' s'
                       AS reason
            FROM ended),
        outcome_rows AS (
            \(sql: JobRows.outcomes(
                from: "decided",
                status: "CASE transition WHEN 'cancelled_running' THEN 'cancelled' ELSE 'failed' END::job_status"))),
        error_rows AS (
            \(sql: JobRows.errors(
                from: "decided WHERE transition = 'abandoned'",
                error: "json_build_object('kind', 'abandoned', 'message', reason)"))),
        event_rows AS (
            \(sql: JobRows.events(from: "decided", actor: "'watchdog'", reason: "reason"))),
        counter_rows AS (
            INSERT INTO deregistered_counter AS c (series, value)
            SELECT 'watchdog_jobs_total{action="' || $3 || '"}', count(*) FROM decided HAVING count(*) > 0
            ON CONFLICT (series) DO UPDATE SET value = c.value + EXCLUDED.value)
        \(sql: JobRows.deltas(JobRows.counts(from: "decided")))
        """)

    /// The jobs that `endStuck` would end, the oldest first. Changes nothing.
    public func stuckJobs(_ order: WatchdogOrder) async throws(PostgresError) -> [StuckJob] {
        try await general.execute(Self.listStuck(order.olderThanMinutes, order.jobsMax)).decode()
    }

    /// Ends stuck jobs, the oldest first, in one transaction, and returns them. Any number of processes share the work.
    ///
    /// The subqueues of teardowns are created before, in a transaction of their own as always: while the leases are
    /// locked nothing is waited for that might wait for them. A job that gets stuck between the two is left to the next
    /// run, and so are all jobs if the queue of a teardown is removed between the two each time.
    public func endStuck(_ order: WatchdogOrder) async throws(PostgresError) -> [StuckJob] {
        for _ in 0..<Self.endStuckTriesMax {
            if order.action == .force { try await prepareTeardowns(order) }
            let ended = try await general.transaction { (transaction) async throws(PostgresError) in
                try await endStuck(order, in: transaction)
            }
            guard let (jobs, teardowns) = ended else { continue }
            // A job that has ended may free a slot of its queue.
            if !jobs.isEmpty { notifier?.notify(Set(jobs.map(\.queue) + teardowns.map(\.job.queue))) }
            return jobs
        }
        return []
    }

    private static let endStuckTriesMax = 5

    /// nil: a subqueue of a teardown is retired or removed, and nothing is done.
    private func endStuck(
        _ order: WatchdogOrder, in transaction: Transaction
    ) async throws(PostgresError) -> ([StuckJob], [InsertJobs.Item])? {
        var stuck: [StuckJob] = []
        var teardowns: [InsertJobs.Item] = []
        let rows = try await transaction.execute(Self.lockStuck(order.olderThanMinutes, order.jobsMax))
        for var job in try rows.decode(as: StuckJob.self) {
            if order.action == .force, let teardown = job.newTeardown {
                guard let subqueue = subqueues.id(for: teardown) else { continue }
                let item = InsertJobs.Item(id: identifiers.next(), subqueue: subqueue, job: teardown, slot: nil)
                job.teardownID = item.id
                teardowns.append(item)
            }
            stuck.append(job)
        }
        guard !stuck.isEmpty else { return ([], []) }
        if !teardowns.isEmpty {
            let batch = InsertJobs.encode(teardowns)
            guard try batch.decode(try await transaction.execute(batch.statement)) != nil else {
                subqueues.forget(teardowns.map(\.subqueue))
                return nil
            }
        }
        _ = try await transaction.execute(Self.endStuckStatement(Batch(stuck), order.action.rawValue))
        return (stuck, teardowns)
    }

    private func prepareTeardowns(_ order: WatchdogOrder) async throws(PostgresError) {
        // More jobs than one run ends, since other processes may be ending some of them at the same time.
        let rows = try await general.execute(Self.listStuck(order.olderThanMinutes, order.jobsMax * 4))
        let teardowns = try rows.decode(as: StuckJob.self).compactMap(\.newTeardown)
        _ = try await subqueues.ids(for: teardowns, on: hot)
    }
}

private enum StuckColumns: BatchColumns {
    static let columns = ColumnBatch<StuckJob>([
        .uuid("id") { $0.id },
        .int8("token") { $0.token },
    ])
}

extension StuckJob: RowDecodable {
    public init(_ columns: inout ColumnCursor) throws(PostgresError) {
        id = try columns.next()
        token = try columns.next()
        queue = try columns.next()
        type = try columns.next()
        attempt = try columns.next()
        workerID = try columns.next()
        endingSince = try columns.next()
        teardown = try columns.next()
        traceParent = try columns.next()
    }
}

extension StuckJob {
    /// In the trace of its job, unless it names one. nil also for a text that an earlier release has accepted and this
    /// one does not: it must not keep its job from being ended.
    fileprivate var newTeardown: NewJob? {
        guard let teardown else { return nil }
        var input = InputReader(teardown)
        let job = try? NewJob.read(&input, payloadBytesMax: .max, as: .teardown)
        guard var job else { return nil }
        job.traceParent = job.traceParent ?? traceParent
        return job
    }
}
