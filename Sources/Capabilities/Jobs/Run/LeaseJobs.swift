public import Postgres
internal import Values

extension JobStore {
    /// Takes jobs out of `ready` and gives each a lease, all with one token from a sequence that only grows.
    ///
    /// The best subqueue comes first: lowest priority, then the one whose first job has waited longest. From each, as
    /// many rows are locked as are still wanted, which skips rows that other workers are taking at this instant.
    /// Nothing below a subqueue's low-water mark is read, so that the dead rows before it cost nothing while a long
    /// transaction keeps them from being removed. `ctid = ANY (ARRAY(...))` makes the deletion a direct visit of the
    /// rows just locked. When there is nothing to lease no token is drawn, so nothing is written and the commit waits
    /// for no disk.
    ///
    /// Paused subqueues are not in `leasable_subqueue`; `PauseGate` explains why a pause cannot be missed. Restricted
    /// subqueues (with keys or limits) are skipped, and so are the subqueues that do not come before them; a row
    /// without an id says that one of them has work.
    private static let leaseUnrestricted = Statement<LeaseRequest>(
        "lease_jobs",
        """
        WITH others AS MATERIALIZED (
            SELECT min(b.priority) AS priority
            FROM leasable_subqueue b
            CROSS JOIN LATERAL (SELECT FROM ready
                                WHERE subqueue_id = b.id AND seq >= b.low_water_mark ORDER BY seq LIMIT 1) head
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
                        AND \(sql: PauseGate.condition)
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
            \(sql: JobRows.deltas(JobRows.counts(of: "'leased'", from: "picked"))))
        SELECT p.id, g.token, p.subqueue_id, (p.attempt + 1)::smallint, j.max_attempts, j.timeout_seconds,
               p.ready_at, g.at, j.payload, j.trace_parent
        FROM picked p
        JOIN job j ON j.id = ANY (ARRAY[p.id])
        CROSS JOIN granted g
        UNION ALL
        SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM others WHERE priority IS NOT NULL
        """)

    private static let leaseFairly = Statement<LeaseRequest, [Int64], [Int64], Int64>(
        "lease_jobs_fairly",
        """
        SELECT id, token, subqueue_id, attempt, max_attempts, timeout_seconds, ready_at, leased_at, payload,
               trace_parent, limited_queue, fairness_group, fairness_key,
               CASE WHEN id IS NULL THEN (SELECT name FROM queue q WHERE q.id = limited_queue) END AS queue
        FROM lease_fairly($1, $2, $3, $4, $5, $6, $7, $8)
        WHERE \(sql: PauseGate.condition)
        """)

    /// Leases at most `request.count` jobs. Fewer: no more may start now, or other workers were just taking them.
    /// - Parameter cursor: the worker's, which it keeps from one lease to the next.
    public func lease(
        _ request: LeaseRequest, cursor: inout FairnessCursor
    ) async throws(PostgresError) -> LeaseAnswer {
        var unrestricted = LeaseAnswer(jobs: [])
        if !cursor.isRestrictedWorkReady {
            let rows: [UnrestrictedRow] = try await hot.execute(Self.leaseUnrestricted(request)).decode()
            let leased = rows.compactMap(\.job)
            cursor.isRestrictedWorkReady = leased.count < rows.count
            unrestricted.jobs = try await jobs(leased)
            guard cursor.isRestrictedWorkReady, unrestricted.jobs.count < request.count else { return unrestricted }
        }
        var rest = request
        rest.count -= unrestricted.jobs.count
        var answer = try await leaseFairly(rest, &cursor)
        answer.jobs = unrestricted.jobs + answer.jobs
        return answer
    }

    private func leaseFairly(
        _ request: LeaseRequest, _ cursor: inout FairnessCursor
    ) async throws(PostgresError) -> LeaseAnswer {
        let statement = Self.leaseFairly(request, cursor.groups, cursor.lastServed, cursor.start)
        var rows: [LeasedRow] = []
        var limited: Set<UUID> = []
        var served: [Int64: [Int64]] = [:]
        var answer = LeaseAnswer(jobs: [])
        for row in try await hot.execute(statement).decode(as: FairRow.self) {
            switch row {
            case .job(let job, let isLimited, let group, let key):
                rows.append(job)
                if isLimited { limited.insert(job.id) }
                served[group, default: []].append(key)
            case .nextStart(let queue, let wait):
                answer.nextStarts[queue] = min(answer.nextStarts[queue] ?? wait, wait)
            case .unserved(let queue): answer.unserved.insert(queue)
            case .onlyUnrestricted: cursor.isRestrictedWorkReady = false
            }
        }
        cursor.served(served)
        answer.jobs = try await jobs(rows)
        for index in answer.jobs.indices { answer.jobs[index].isLimited = limited.contains(answer.jobs[index].id) }
        return answer
    }

    private func jobs(_ rows: [LeasedRow]) async throws(PostgresError) -> [LeasedJob] {
        guard !rows.isEmpty else { return [] }
        try await subqueues.load(Set(rows.lazy.map(\.subqueueID)), on: hot)
        var jobs: [LeasedJob] = []
        jobs.reserveCapacity(rows.count)
        for row in rows {
            guard let subqueue = subqueues.subqueue(row.subqueueID) else {
                throw .unexpectedValue(column: "subqueue_id", reason: "names a subqueue that does not exist")
            }
            jobs.append(LeasedJob(row, subqueue))
        }
        return jobs
    }
}

/// A row of the statement for unrestricted subqueues.
private struct UnrestrictedRow: RowDecodable {
    /// nil: a restricted subqueue has work.
    let job: LeasedRow?

    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        let id: UUID? = try columns.next()
        if let id {
            job = try LeasedRow(id, &columns)
        } else {
            job = nil
            columns.skipRest()
        }
    }
}

/// A row of the statement for all subqueues (`lease_fairly`, `0008_fairness.sql`).
private enum FairRow: RowDecodable {
    case job(LeasedRow, isLimited: Bool, group: Int64, key: Int64)
    /// The rate of this queue allows its next start after this time.
    case nextStart(String, after: Duration)
    /// More jobs of this limited queue could start.
    case unserved(String)
    /// Only unrestricted subqueues had work.
    case onlyUnrestricted

    init(_ columns: inout ColumnCursor) throws(PostgresError) {
        let id: UUID? = try columns.next()
        if let id {
            let job = try LeasedRow(id, &columns)
            let limitedQueue: Int32? = try columns.next()
            self = .job(
                job, isLimited: limitedQueue != nil, group: try columns.next(), key: try columns.next())
            columns.skipRest()
            return
        }
        columns.skip(to: "ready_at")
        let nextStart: WallInstant? = try columns.next()
        let now: WallInstant? = try columns.next()
        columns.skip(to: "queue")
        switch (try columns.next() as String?, nextStart, now) {
        case (nil, _, _): self = .onlyUnrestricted
        case (let queue?, let nextStart?, let now?): self = .nextStart(queue, after: nextStart - now)
        case (let queue?, _, _): self = .unserved(queue)
        }
    }
}

/// The columns that both statements give for a job.
private struct LeasedRow {
    let id: UUID
    let token: Int64
    let subqueueID: Int32
    let attempt: Int16
    let maxAttempts: Int16
    let timeoutSeconds: Int32
    let readyAt: WallInstant
    let leasedAt: WallInstant
    let payload: [UInt8]
    let traceParent: String?

    /// Reads the columns after `id`.
    init(_ id: UUID, _ columns: inout ColumnCursor) throws(PostgresError) {
        self.id = id
        token = try columns.next()
        subqueueID = try columns.next()
        attempt = try columns.next()
        maxAttempts = try columns.next()
        timeoutSeconds = try columns.next()
        readyAt = try columns.next()
        leasedAt = try columns.next()
        payload = try columns.next()
        traceParent = try columns.next()
    }
}

extension LeasedJob {
    fileprivate init(_ row: LeasedRow, _ subqueue: Subqueue) {
        self.init(
            id: row.id, type: subqueue.type, typeID: subqueue.typeID, queue: subqueue.queue, payload: row.payload,
            attempt: row.attempt, maxAttempts: row.maxAttempts, token: row.token,
            timeoutSeconds: row.timeoutSeconds, traceParent: row.traceParent,
            waitSeconds: Double(row.leasedAt.microseconds - row.readyAt.microseconds) / 1e6,
            metricsQueue: subqueue.metricsQueue)
    }
}
