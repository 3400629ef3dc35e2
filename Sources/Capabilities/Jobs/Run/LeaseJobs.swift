public import Postgres
internal import Values

/// What a worker asks for.
public struct LeaseRequest: Sendable {
    /// Ids of queues; nil: all.
    public var queues: [Int32]?
    /// Ids of types that the worker cannot run.
    public var excludedTypes: [Int32]
    /// At most so many jobs.
    public var count: Int
    /// The worker that will hold them.
    public var worker: Int64
    /// After so long the lease has expired, unless it was renewed.
    public var leaseSeconds: Double

    public init(queues: [Int32]?, excludedTypes: [Int32], count: Int, worker: Int64, leaseSeconds: Double) {
        self.queues = queues
        self.excludedTypes = excludedTypes
        self.count = count
        self.worker = worker
        self.leaseSeconds = leaseSeconds
    }
}

/// What a statement has leased.
public struct LeaseAnswer: Sendable {
    public var jobs: [LeasedJob]
    /// After so long, at the earliest, the rate of some queue lets further jobs start; nil: no rate holds any back.
    public var nextStart: Duration?
}

extension JobStore {
    /// Takes jobs out of `ready` and gives each a lease, all with one token from a sequence that only grows.
    ///
    /// The best subqueue comes first: lowest priority, then the one whose first job waits longest. From each as many rows
    /// are locked as are still wanted, which skips what others are taking at this instant. Nothing below a subqueue's
    /// low-water mark is looked at, so that the dead rows before it cost nothing while a long transaction keeps them
    /// from being removed. `ctid = ANY (ARRAY(...))` makes the deletion a direct visit of the rows just locked. When there
    /// is nothing to lease no token is drawn, so nothing is written and the commit waits for no disk.
    ///
    /// What is paused is not in `leasable_subqueue` (`0010_pauses.sql`). Subqueues with keys or limits are left alone, and so is what does not come before them; a row without an id says
    /// that one of them has work. `lease_gate` is empty: the sub-select is there for its table lock
    /// (`0001_queues.sql`).
    private static let plain = Statement(
        "lease_jobs",
        """
        WITH others AS MATERIALIZED (
            SELECT min(b.priority) AS priority
            FROM leasable_subqueue b
            CROSS JOIN LATERAL (SELECT FROM ready WHERE subqueue_id = b.id AND seq >= b.low_water_mark ORDER BY seq LIMIT 1) head
            WHERE NOT b.unrestricted AND ($1::int[] IS NULL OR b.queue_id = ANY ($1)) AND b.type_id <> ALL ($2::int[])),
        picked AS MATERIALIZED (
            DELETE FROM ready WHERE ctid = ANY (ARRAY(
                SELECT r.at
                FROM (SELECT b.id, b.low_water_mark
                      FROM leasable_subqueue b
                      CROSS JOIN LATERAL (SELECT seq FROM ready
                                          WHERE subqueue_id = b.id AND seq >= b.low_water_mark
                                          ORDER BY seq LIMIT 1) head
                      WHERE b.unrestricted AND ($1::int[] IS NULL OR b.queue_id = ANY ($1))
                        AND b.type_id <> ALL ($2::int[])
                        AND b.priority < COALESCE((SELECT priority FROM others), 32768)
                        AND NOT EXISTS (SELECT FROM lease_gate FOR KEY SHARE)
                      ORDER BY b.priority, head.seq) b
                CROSS JOIN LATERAL (SELECT ctid AS at FROM ready
                                    WHERE subqueue_id = b.id AND seq >= b.low_water_mark
                                    ORDER BY seq LIMIT $3 FOR UPDATE SKIP LOCKED) r
                LIMIT $3))
            RETURNING id, ready_at, subqueue_id, attempt),
        granted AS MATERIALIZED (
            SELECT nextval('lease_token') AS token, clock_timestamp() AS at WHERE EXISTS (SELECT FROM picked)),
        leased AS (
            INSERT INTO lease (id, token, worker_id, leased_at, expires_at, subqueue_id, attempt)
            SELECT p.id, g.token, $4::bigint, g.at, g.at + make_interval(secs => $5), p.subqueue_id, p.attempt + 1
            FROM picked p, granted g),
        delta_rows AS (
            INSERT INTO transition_delta (subqueue_id, transition, n)
            SELECT subqueue_id, 'leased', count(*) FROM picked GROUP BY subqueue_id)
        SELECT p.id, g.token, p.subqueue_id, (p.attempt + 1)::smallint, j.max_attempts, j.timeout_seconds,
               p.ready_at, g.at, j.payload, j.trace_parent
        FROM picked p
        JOIN job j ON j.id = ANY (ARRAY[p.id])
        CROSS JOIN granted g
        UNION ALL
        SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM others WHERE priority IS NOT NULL
        """, [.int4Array, .int4Array, .int4, .int8, .float8])

    private static let byTurns = Statement(
        "lease_jobs_fairly",
        """
        SELECT id, token, subqueue_id, attempt, max_attempts, timeout_seconds, ready_at, leased_at, payload, trace_parent,
               fairness_group, fairness_key
        FROM lease_fairly($1, $2, $3, $4, $5, $6, $7, $8)
        WHERE NOT EXISTS (SELECT FROM lease_gate FOR KEY SHARE)
        """, [.int4Array, .int4Array, .int4, .int8, .float8, .int8Array, .int8Array, .int8])

    /// Leases at most `request.count` jobs. Fewer: nothing more may start now, or others were just taking it.
    /// - Parameter fairness keys: what the worker remembers from one lease to the next.
    public func lease(
        _ request: LeaseRequest, cursor: inout FairnessCursor
    ) async throws(PostgresError) -> LeaseAnswer {
        var plain = LeaseAnswer(jobs: [])
        if !cursor.isRestrictedWorkReady {
            let rows = try await hot.execute(Self.plain, Self.parameters(request))
            for row in rows where try row.isNull(0) { cursor.isRestrictedWorkReady = true }
            plain.jobs = try await leased(rows)
            guard cursor.isRestrictedWorkReady, plain.jobs.count < request.count else { return plain }
        }
        var rest = request
        rest.count -= plain.jobs.count
        var answer = try await leaseFairly(rest, &cursor)
        if answer.jobs.count < rest.count { cursor.isRestrictedWorkReady = false }
        answer.jobs = plain.jobs + answer.jobs
        return answer
    }

    private func leaseFairly(
        _ request: LeaseRequest, _ cursor: inout FairnessCursor
    ) async throws(PostgresError) -> LeaseAnswer {
        var parameters = Self.parameters(request)
        parameters.append(cursor.groups)
        parameters.append(cursor.lastServed)
        parameters.append(cursor.start)
        let rows = try await hot.execute(Self.byTurns, parameters)
        var served: [Int64: [Int64]] = [:]
        var nextStart: Duration?
        for row in rows {
            if try row.isNull(6) {
                cursor.isRestrictedWorkReady = false
            } else if try row.isNull(0) {
                let wait = try row.timestamptz(6).microseconds - row.timestamptz(7).microseconds
                nextStart = min(nextStart ?? .microseconds(wait), .microseconds(wait))
            } else {
                served[try row.int8(10), default: []].append(try row.int8(11))
            }
        }
        cursor.served(served)
        return LeaseAnswer(jobs: try await leased(rows), nextStart: nextStart)
    }

    private static func parameters(_ request: LeaseRequest) -> Parameters {
        var parameters = Parameters()
        if let queues = request.queues { parameters.append(queues) } else { parameters.appendNull(.int4Array) }
        parameters.append(request.excludedTypes)
        parameters.append(Int32(request.count))
        parameters.append(request.worker)
        parameters.append(request.leaseSeconds)
        return parameters
    }

    /// The jobs of an answer, whose rows without an id are none.
    private func leased(_ rows: Rows) async throws(PostgresError) -> [LeasedJob] {
        var subqueueIDs: Set<Int32> = []
        for row in rows where try !row.isNull(0) { subqueueIDs.insert(try row.int4(2)) }
        guard !subqueueIDs.isEmpty else { return [] }
        try await subqueues.load(subqueueIDs, on: hot)
        var jobs: [LeasedJob] = []
        jobs.reserveCapacity(rows.count)
        for row in rows where try !row.isNull(0) {
            guard let subqueue = subqueues.subqueue(try row.int4(2)) else {
                throw .unexpectedValue(column: 2, reason: "a job's subqueue does not exist")
            }
            jobs.append(try LeasedJob(row, subqueue))
        }
        return jobs
    }
}

extension LeasedJob {
    fileprivate init(_ row: Row, _ subqueue: Subqueue) throws(PostgresError) {
        let leasedAt = try row.timestamptz(7)
        let readyAt = try row.timestamptz(6)
        self.init(
            id: try row.uuid(0), type: subqueue.type, typeID: subqueue.typeID, queue: subqueue.queue,
            payload: try row.bytes(8),
            attempt: try row.int2(3), maxAttempts: try row.int2(4), token: try row.int8(1),
            timeoutSeconds: try row.int4(5), traceParent: try row.optionalText(9),
            waitSeconds: Double(leasedAt.microseconds - readyAt.microseconds) / 1e6)
    }
}
