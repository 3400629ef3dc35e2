public import Postgres
public import Values

/// A job that was asked to stop while it ran, as the worker that has it hears of it.
public struct CancelRequest: Hashable, Sendable {
    public let lease: HeldLease
    /// Between the request to stop and the use of force, in seconds.
    public let graceSeconds: Int32

    public init(lease: HeldLease, graceSeconds: Int32) {
        self.lease = lease
        self.graceSeconds = graceSeconds
    }
}

extension JobStore {
    /// Running jobs become `ending`. Rows are locked in the order of the ids, as by every statement on several leases.
    /// It needs no token: whoever has the job is meant.
    private static let stopStatement = Statement(
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
            INSERT INTO event (id, at, worker_id, transition, attempt, actor, reason)
            SELECT id, at, worker_id, 'cancel_requested', attempt, $2, $3 FROM asked),
        delta_rows AS (
            INSERT INTO transition_delta (subqueue_id, transition, n)
            SELECT subqueue_id, 'cancel_requested', count(*) FROM asked GROUP BY subqueue_id)
        SELECT id, worker_id FROM asked
        """, [.uuidArray, .text, .text])

    /// Asks running jobs to stop, and tells their workers after the commit. Those that do not run, or were asked before,
    /// stay as they are. Returns the others.
    public func requestCancel(_ ids: [UUID], by actor: Actor) async throws(PostgresError) -> [UUID] {
        var parameters = Parameters()
        parameters.append(ids)
        parameters.append(actor)
        var asked: [UUID] = []
        var workers: Set<Int64> = []
        for row in try await hot.execute(Self.stopStatement, parameters) {
            asked.append(try row.uuid(0))
            workers.insert(try row.int8(1))
        }
        cancelNotifier?.notify(workers)
        return asked
    }

    /// By the index that holds nothing but jobs which are to stop.
    private static let ordersStatement = Statement(
        "list_cancel_requests",
        """
        SELECT l.id, l.token, COALESCE(j.cancel_grace_seconds, $2)
        FROM lease l
        CROSS JOIN LATERAL (SELECT cancel_grace_seconds FROM job WHERE id = l.id OFFSET 0) j
        WHERE l.worker_id = ANY ($1) AND l.cancel_requested_at IS NOT NULL
        """, [.int8Array, .int4], isIdempotent: true)

    /// What the worker that goes, or went, by these ids is to stop.
    public func cancelRequests(workers: [Int64]) async throws(PostgresError) -> [CancelRequest] {
        var parameters = Parameters()
        parameters.append(workers)
        parameters.append(JobLimits.cancelGraceSecondsStandard)
        var orders: [CancelRequest] = []
        for row in try await hot.execute(Self.ordersStatement, parameters) {
            let lease = HeldLease(id: try row.uuid(0), token: try row.int8(1))
            orders.append(CancelRequest(lease: lease, graceSeconds: try row.int4(2)))
        }
        return orders
    }

    /// Of one statement.
    private static let cancelledMax: Int32 = 500

    private static let runningStatement = Statement(
        "list_running_ids",
        """
        SELECT id FROM lease
        WHERE id > $2 AND subqueue_id = ANY ($1) AND cancel_requested_at IS NULL
        ORDER BY id LIMIT $3
        """, [.int4Array, .uuid, .int4], isIdempotent: true)

    /// Asks all jobs to stop that run now and that `filter` names by queue or type, some hundred with each statement.
    /// - Returns: how many were asked.
    public func cancelRunning(in filter: JobFilter, by actor: Actor) async throws(PostgresError) -> Int {
        let subqueues = try await matchingSubqueues(filter)
        var last = UUID(high: 0, low: 0)
        var count = 0
        while true {
            var parameters = Parameters()
            parameters.append(subqueues)
            parameters.append(last)
            parameters.append(Self.cancelledMax)
            var ids: [UUID] = []
            for row in try await general.execute(Self.runningStatement, parameters) { ids.append(try row.uuid(0)) }
            count += try await requestCancel(ids, by: actor).count
            guard ids.count == Int(Self.cancelledMax), let end = ids.last else { return count }
            last = end
        }
    }
}
