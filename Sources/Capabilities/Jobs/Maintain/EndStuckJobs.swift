internal import JSON
public import Postgres
internal import Telemetry
public import Values

/// Which jobs count as stuck, and what is done with them.
public struct WatchdogOrder: Hashable, Sendable {
    public enum Action: String, CaseIterable, Sendable {
        /// They are `cancelled`, and their teardowns are created.
        case force
        /// They are `failed`.
        case fail
    }

    /// For so long they have been `ending`, in minutes.
    public var olderThanMinutes: Int32
    /// Of one run.
    public var jobsMax: Int32
    public var action: Action

    public init(olderThanMinutes: Int32, jobsMax: Int32, action: Action) {
        self.olderThanMinutes = olderThanMinutes
        self.jobsMax = jobsMax
        self.action = action
    }
}

/// A job that was asked to stop, and has not for long.
public struct StuckJob: Sendable {
    public let id: UUID
    public let token: Int64
    public let queue: String
    public let type: String
    public let attempt: Int16
    public let workerID: Int64
    /// When it was asked.
    public let endingSince: WallInstant
    /// The JSON text of its teardown.
    public let teardown: [UInt8]?
    let traceParent: String?
    /// The job that was created from the teardown; nil where there is none, or none was created.
    public internal(set) var teardownID: UUID?
}

extension JobStore {
    /// The oldest first. By the index that holds nothing but jobs which are to stop.
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

    private static let listStuck = Statement(
        "list_stuck_jobs", "\(sql: stuckJobs)", [.int4, .int4], isIdempotent: true)

    /// Nobody is waited for: a job whose end is being written is not stuck.
    private static let lockStuck = Statement(
        "lock_stuck_jobs", "\(sql: stuckJobs) FOR UPDATE OF l SKIP LOCKED", [.int4, .int4])

    /// Their leases go, and with them the worth of their tokens: whatever the workers still write matches nothing. The
    /// counter stands with those of workers that have departed, since nobody's heartbeat brings it.
    private static let endStuck = Statement(
        "end_stuck_jobs",
        """
        WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        ended AS MATERIALIZED (
            DELETE FROM lease l
            USING unnest($1::uuid[], $2::bigint[]) AS g (id, token)
            WHERE l.id = ANY (ARRAY[g.id]) AND l.token = g.token
            RETURNING l.*, (SELECT at FROM moment) AS at),
        decided AS MATERIALIZED (
            SELECT *, CASE $3 WHEN 'force' THEN 'cancelled_running' ELSE 'abandoned' END::job_transition AS transition,
                   'asked to stop, and had not after ' || floor(extract(epoch FROM at - cancel_requested_at)) || ' s'
                       AS reason
            FROM ended),
        outcome_rows AS (
            INSERT INTO outcome (id, token, worker_id, started_at, finished_at, subqueue_id, attempt, status)
            SELECT id, token, worker_id, leased_at, at, subqueue_id, attempt,
                   CASE transition WHEN 'cancelled_running' THEN 'cancelled' ELSE 'failed' END::job_status
            FROM decided),
        error_rows AS (
            INSERT INTO attempt_error (id, token, worker_id, started_at, failed_at, attempt, error)
            SELECT id, token, worker_id, leased_at, at, attempt,
                   json_build_object('kind', 'abandoned', 'message', reason)
            FROM decided WHERE transition = 'abandoned'
            ON CONFLICT (id, attempt) DO UPDATE
            SET token = EXCLUDED.token, worker_id = EXCLUDED.worker_id, started_at = EXCLUDED.started_at,
                failed_at = EXCLUDED.failed_at, error = EXCLUDED.error),
        event_rows AS (
            INSERT INTO event (id, at, leased_at, worker_id, transition, attempt, actor, reason)
            SELECT id, at, leased_at, worker_id, transition, attempt, 'watchdog', reason FROM decided),
        counter_rows AS (
            INSERT INTO deregistered_counter AS c (series, value)
            SELECT 'watchdog_jobs_total{action="' || $3 || '"}', count(*) FROM decided HAVING count(*) > 0
            ON CONFLICT (series) DO UPDATE SET value = c.value + EXCLUDED.value)
        INSERT INTO transition_delta (subqueue_id, transition, n)
        SELECT subqueue_id, transition, count(*) FROM decided GROUP BY 1, 2
        """, [.uuidArray, .int8Array, .text])

    /// The jobs that `endStuck` would end, the oldest first. Writes nothing.
    public func stuckJobs(_ order: WatchdogOrder) async throws(PostgresError) -> [StuckJob] {
        var stuck: [StuckJob] = []
        for row in try await general.execute(Self.listStuck, Self.bounds(order, atMost: order.jobsMax)) {
            stuck.append(try StuckJob(row))
        }
        return stuck
    }

    /// Ends stuck jobs, the oldest first, in one transaction, and returns them. Any number of processes share the work.
    ///
    /// The subqueues of teardowns are made before, in a transaction of their own as always: while the leases are locked
    /// nothing is waited for that might wait for them. A job whose teardown comes into view only then is left to the
    /// next run.
    public func endStuck(_ order: WatchdogOrder) async throws(PostgresError) -> [StuckJob] {
        if order.action == .force { try await prepareTeardowns(order) }
        let ended: (jobs: [StuckJob], teardowns: [InsertJobs.Item])
        do {
            ended = try await general.transaction { transaction in
                let rows = try await transaction.execute(
                    Self.lockStuck, Self.bounds(order, atMost: order.jobsMax))
                var stuck: [StuckJob] = []
                var teardowns: [InsertJobs.Item] = []
                for row in rows {
                    var job = try StuckJob(row)
                    if order.action == .force, let teardown = job.newTeardown {
                        guard let subqueue = subqueues.id(for: teardown) else { continue }
                        let item = InsertJobs.Item(
                            id: identifiers.next(), subqueue: subqueue, job: teardown, place: nil)
                        job.teardownID = item.id
                        teardowns.append(item)
                    }
                    stuck.append(job)
                }
                guard !stuck.isEmpty else { return ([], []) }
                _ = try await transaction.execute(Self.endStuck, Self.parameters(stuck, order.action))
                if !teardowns.isEmpty {
                    let (insert, parameters) = InsertJobs.encode(teardowns)
                    _ = try await transaction.execute(insert, parameters)
                }
                return (stuck, teardowns)
            }
        } catch let error as PostgresError {
            throw error
        } catch {
            throw .misuse("\(error)")
        }
        notifier?.notify(ended.teardowns.map(\.job.queue))
        return ended.jobs
    }

    private func prepareTeardowns(_ order: WatchdogOrder) async throws(PostgresError) {
        // More than one run ends, for those that others are ending at the same time.
        let rows = try await general.execute(Self.listStuck, Self.bounds(order, atMost: order.jobsMax * 4))
        var teardowns: [NewJob] = []
        for row in rows { if let teardown = try StuckJob(row).newTeardown { teardowns.append(teardown) } }
        _ = try await subqueues.ids(for: teardowns, on: hot)
    }

    private static func bounds(_ order: WatchdogOrder, atMost limit: Int32) -> Parameters {
        var parameters = Parameters()
        parameters.append(order.olderThanMinutes)
        parameters.append(limit)
        return parameters
    }

    private static func parameters(_ stuck: [StuckJob], _ action: WatchdogOrder.Action) -> Parameters {
        var parameters = Parameters()
        parameters.append(stuck.map(\.id))
        parameters.append(stuck.map(\.token))
        parameters.append(text: action.rawValue)
        return parameters
    }
}

extension StuckJob {
    fileprivate init(_ row: Row) throws(PostgresError) {
        id = try row.uuid(0)
        token = try row.int8(1)
        queue = try row.text(2)
        type = try row.text(3)
        attempt = try row.int2(4)
        workerID = try row.int8(5)
        endingSince = try row.timestamptz(6)
        teardown = try row.optionalBytes(7)
        traceParent = try row.optionalText(8)
    }

    /// In the trace of its job, unless it names one. nil also for what an earlier release may have accepted and this one
    /// does not: that must not keep its job from being ended.
    fileprivate var newTeardown: NewJob? {
        guard let teardown else { return nil }
        var input = InputReader(teardown)
        let job = try? NewJob.read(&input, payloadBytesMax: .max, as: .teardown)
        guard var job else { return nil }
        job.traceParent = job.traceParent ?? traceParent
        return job
    }
}
