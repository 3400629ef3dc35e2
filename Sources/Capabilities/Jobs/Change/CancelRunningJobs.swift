public import Postgres
public import Values

extension JobStore {
    /// Running jobs become `ending`. Rows are locked in the order of the ids, as by every statement on several leases.
    /// It takes no token: the request is for the current lease, whichever worker holds it.
    private static let requestStatement = Statement<[UUID], Actor>(
        "request_cancel",
        """
        WITH given AS MATERIALIZED (SELECT id FROM unnest($1::uuid[]) AS g (id) ORDER BY id),
        moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
        asked AS MATERIALIZED (
            UPDATE lease l SET cancel_requested_at = (SELECT at FROM moment)
            FROM given g
            WHERE l.id = ANY (ARRAY[g.id]) AND l.cancel_requested_at IS NULL
            RETURNING l.id, l.subqueue_id, l.worker_id, l.attempt, l.cancel_requested_at AS at),
        event_rows AS (
            \(sql: JobRows.events(
                from: "asked", leasedAt: "NULL", transition: "'cancel_requested'", actor: "$2", reason: "$3"))),
        delta_rows AS (
            \(sql: JobRows.deltas(JobRows.counts(of: "'cancel_requested'", from: "asked"))))
        SELECT id, worker_id FROM asked
        """)

    /// Asks running jobs to stop, and notifies their workers after the commit. Jobs that do not run, or were asked
    /// before, stay as they are. Returns the others.
    public func requestCancel(
        _ ids: [UUID], by actor: Actor, lockWait: LockWait = .inTries
    ) async throws(PostgresError) -> [UUID] {
        let asked = try await hot.execute(Self.requestStatement(ids, actor), lockWait: lockWait)
            .decode((UUID, Int64).self)
        cancelNotifier?.notify(Set(asked.map { $0.1 }))
        return asked.map { $0.0 }
    }

    /// By the index that holds only jobs which are to stop.
    private static let listStatement = Statement<[Int64], Int32>(
        "list_cancel_requests",
        """
        SELECT l.id, l.token, COALESCE(j.cancel_grace_seconds, $2)
        FROM lease l
        CROSS JOIN LATERAL (SELECT cancel_grace_seconds FROM job WHERE id = l.id OFFSET 0) j
        WHERE l.worker_id = ANY ($1) AND l.cancel_requested_at IS NOT NULL
        """, isIdempotent: true)

    /// The cancel requests for a worker's jobs.
    /// - Parameter workers: the ids of the worker's incarnations.
    public func cancelRequests(workers: [Int64]) async throws(PostgresError) -> [CancelRequest] {
        try await hot.execute(Self.listStatement(workers, JobLimits.cancelGraceSecondsStandard)).decode()
    }

    /// Jobs of one statement.
    private static let cancelledMax: Int32 = 500

    private static let runningStatement = Statement<[Int32]?, UUID, Int32>(
        "list_running_ids",
        """
        SELECT id FROM lease
        WHERE id > $2 AND ($1::int[] IS NULL OR subqueue_id = ANY ($1)) AND cancel_requested_at IS NULL
        ORDER BY id LIMIT $3
        """, isIdempotent: true)

    /// Asks all jobs to stop that run now and that match `filter` by queue and type, some hundred with each statement.
    /// Jobs that another transaction has locked are ending at this moment, as a rule, and are left out.
    /// - Returns: the number of jobs that were asked.
    public func cancelRunning(in filter: JobFilter, by actor: Actor) async throws(PostgresError) -> Int {
        let subqueues = try await matchingSubqueues(filter)
        var last = UUID(high: 0, low: 0)
        var count = 0
        while true {
            let statement = Self.runningStatement(subqueues, last, Self.cancelledMax)
            let ids: [UUID] = try await general.execute(statement).decode()
            _ = try await changeUnlocked(ids) { (ids, lockWait) async throws(PostgresError) in
                count += try await requestCancel(ids, by: actor, lockWait: lockWait).count
            }
            guard ids.count == Int(Self.cancelledMax), let end = ids.last else { return count }
            last = end
        }
    }
}
